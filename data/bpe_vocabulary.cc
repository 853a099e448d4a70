// SPDX-License-Identifier: Apache-2.0
#include "data/bpe_vocabulary.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace ridgeline {
namespace {

std::optional<uint32_t> ControlTokenNamed(const BpeVocabulary& vocabulary,
                                          std::initializer_list<std::string_view> names) {
  for (const BpeVocabulary::AddedToken& token : vocabulary.added) {
    if (token.is_control && std::find(names.begin(), names.end(), token.text) != names.end()) return token.id;
  }
  return std::nullopt;
}

}  // namespace

void FindSpecialTokensByName(BpeVocabulary* vocabulary) {
  SpecialTokens& special = vocabulary->special;
  if (!special.bos_id.has_value()) special.bos_id = ControlTokenNamed(*vocabulary, {"<bos>", "<s>", "<|endoftext|>"});
  if (!special.eos_id.has_value()) special.eos_id = ControlTokenNamed(*vocabulary, {"<eos>", "</s>", "<|endoftext|>"});
}

}  // namespace ridgeline
