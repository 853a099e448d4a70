// SPDX-License-Identifier: Apache-2.0
#include "data/stream_decoder.h"

#include <algorithm>

#include "common/utf8.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";
constexpr size_t kMaxCharacterBytes = 4;

// Whether bytes to come could make the beginning of `bytes` a character. If any do, all-lowest or all-highest
// continuation bytes do.
bool MayBecomeCharacter(std::string_view bytes) {
  for (char filler : {'\x80', '\xBF'}) {
    std::string filled(bytes.substr(0, kMaxCharacterBytes));
    filled.resize(kMaxCharacterBytes, filler);
    if (Utf8At(filled, 0).size > bytes.size()) return true;
  }
  return false;
}

}  // namespace

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, ControlTokens control)
    : tokenizer_(tokenizer), control_(control), drop_space_(tokenizer.AddsSpaceBeforeText()) {}

absl::StatusOr<std::string> StreamDecoder::Add(uint32_t id) {
  if (id >= static_cast<uint64_t>(tokenizer_.vocab_size())) {
    return absl::InvalidArgumentError(
        fmt::format("token id {} is outside the vocabulary of {} tokens", id, tokenizer_.vocab_size()));
  }
  if (control_ == ControlTokens::kSkipped && tokenizer_.IsControl(id)) return "";
  std::string bytes = tokenizer_.BytesOf(id);
  if (drop_space_ && bytes.starts_with(' ')) bytes.erase(0, 1);
  drop_space_ = false;
  held_bytes_ += bytes;
  return TakeCharacters(/*at_end=*/false);
}

std::string StreamDecoder::Finish() { return TakeCharacters(/*at_end=*/true); }

std::string StreamDecoder::TakeCharacters(bool at_end) {
  std::string text;
  size_t offset = 0;
  while (offset < held_bytes_.size()) {
    const std::string_view rest = std::string_view(held_bytes_).substr(offset);
    const size_t size = Utf8At(rest, 0).size;
    if (size == 0 && !at_end && MayBecomeCharacter(rest)) break;
    text += size == 0 ? std::string_view(kReplacement) : rest.substr(0, size);
    offset += std::max<size_t>(size, 1);
  }
  held_bytes_.erase(0, offset);
  return text;
}

}  // namespace ridgeline
