// SPDX-License-Identifier: Apache-2.0
// Tokenizers that libsentencepiece runs, from a model file or from a vocabulary that came otherwise (GGUF).
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "data/sentencepiece_vocabulary.h"
#include "data/tokenizer.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

// Control pieces that a text spells out become their ids (libsentencepiece alone would cut them as text). bos and eos
// of `special` replace the vocabulary's. DATA_LOSS as CheckSentencePieceVocabulary; UNIMPLEMENTED for models that put
// spaces after words.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeSentencePieceTokenizer(SentencePieceVocabulary vocabulary,
                                                                      const SpecialTokens& special,
                                                                      Chunks chunks = Chunks::kCached);

// A model file alone: prompts begin with bos if it has one.
SpecialTokens SpecialTokensOf(const SentencePieceVocabulary& vocabulary);

// {"kind": "sentencepiece", "file_sha256": ..., ...} and the tokenizer.model that belongs to it.
absl::StatusOr<std::unique_ptr<Tokenizer>> SentencePieceTokenizerFromJson(const nlohmann::json& json,
                                                                          std::string_view file_bytes);

}  // namespace ridgeline
