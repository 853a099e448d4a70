// SPDX-License-Identifier: Apache-2.0
// Fuzz target for texts in chunks: their ids are those of the text in one piece.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/utf8.h"
#include "data/bpe_tokenizer.h"
#include "data/bpe_vocabulary.h"
#include "fmt/format.h"

namespace {

// All bytes, some letters, and what merges of them, spaces and an accented letter.
ridgeline::BpeVocabulary SmallVocabulary() {
  ridgeline::BpeVocabulary vocabulary;
  vocabulary.spelling = ridgeline::BpeSpelling::kSpaces;
  for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.push_back(fmt::format("<0x{:02X}>", byte));
  const std::string space = "\xE2\x96\x81", e = "\xC3\xA9";
  for (const std::string& token : {std::string("a"), std::string("b"), std::string("n"), space, e})
    vocabulary.tokens.push_back(token);
  const auto merge = [&](const std::string& left, const std::string& right) {
    vocabulary.tokens.push_back(left + right);
    vocabulary.merges.emplace_back(left, right);
  };
  merge("a", "n");
  merge(space, "b");
  merge(space, space);
  merge("an", "a");
  merge(space + "b", "an");
  merge(e, "a");
  merge(space + space, space + space);
  return vocabulary;
}

std::unique_ptr<ridgeline::Tokenizer> Make(ridgeline::Chunks chunks) {
  return ridgeline::MakeBpeTokenizer(SmallVocabulary(), chunks).value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto cached = Make(ridgeline::Chunks::kCached), whole = Make(ridgeline::Chunks::kNone);
  const std::string text = ridgeline::ToValidUtf8(std::string_view(reinterpret_cast<const char*>(data), size));
  if (cached->Encode(text).value() != whole->Encode(text).value()) std::abort();
  return 0;
}
