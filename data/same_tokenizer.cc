// SPDX-License-Identifier: Apache-2.0
#include "data/same_tokenizer.h"

#include <algorithm>

#include "common/sha256.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

// A char tokenizer cuts otherwise than any other, whatever its ids stand for.
bool HaveSameTexts(const Tokenizer& a, const Tokenizer& b) {
  if (a.kind() == "char" || b.kind() == "char") return false;
  const int64_t both = std::min(a.vocab_size(), b.vocab_size());
  for (int64_t id = 0; id < both; ++id)
    if (a.BytesOf(static_cast<uint32_t>(id)) != b.BytesOf(static_cast<uint32_t>(id))) return false;
  return true;
}

}  // namespace

std::string TokenizerHash(const Tokenizer& tokenizer) {
  return Sha256Hex(tokenizer.kind() + "\n" + tokenizer.IdRules());
}

bool AreSameTokenizer(const Tokenizer& a, const Tokenizer& b) {
  return a.kind() == b.kind() ? TokenizerHash(a) == TokenizerHash(b) : HaveSameTexts(a, b);
}

absl::Status CheckSameTokenizer(const Tokenizer& of_dataset, const std::string& dataset, const Tokenizer& of_model,
                                const std::string& model) {
  if (AreSameTokenizer(of_dataset, of_model)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} was prepared with another tokenizer ({}, {} tokens) than the model's ({}, {} tokens): its ids "
                  "mean nothing to "
                  "this model; prepare the text again with ridgeline data prepare --tokenizer {}",
                  dataset, of_dataset.kind(), of_dataset.vocab_size(), of_model.kind(), of_model.vocab_size(), model));
}

}  // namespace ridgeline
