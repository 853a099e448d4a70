// SPDX-License-Identifier: Apache-2.0
// Hugging Face tokenizers' tokenizer.json, as far as Ridgeline's models use it: byte-pair encodings of GPT-2's and of
// Gemma's kind.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/bpe_vocabulary.h"

namespace ridgeline {

// DATA_LOSS for bytes that are no such file, with the key that is wrong. UNIMPLEMENTED for other models and other
// normalizers or pre-tokenizers than BpeSpelling names. Safe on any input.
absl::StatusOr<BpeVocabulary> ParseHfTokenizerJson(std::string_view bytes);

// What ParseHfTokenizerJson reads back as the same vocabulary. REQUIRES: MakeBpeTokenizer takes it.
std::string WriteHfTokenizerJson(const BpeVocabulary& vocabulary);

// Sets what a model folder's tokenizer_config.json states: bos, eos, whether prompts begin with bos. DATA_LOSS if it is
// no JSON object or names a token that `id_of` does not know.
absl::Status ApplyHfTokenizerConfig(std::string_view bytes,
                                    const std::function<std::optional<uint32_t>(std::string_view)>& id_of,
                                    SpecialTokens* special);

}  // namespace ridgeline
