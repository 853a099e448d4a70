// SPDX-License-Identifier: Apache-2.0
// Byte-pair encodings that Hugging Face files (tokenizer.json, vocab.json with merges.txt) and GGUF hold.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "data/bpe_vocabulary.h"
#include "data/tokenizer.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

// DATA_LOSS for tokens that repeat, are empty or not UTF-8, merges of or to strings that are no tokens, and ids out of
// range.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeBpeTokenizer(BpeVocabulary vocabulary, Chunks chunks = Chunks::kCached);

// {"kind": "bpe", "file_sha256": ..., ...} and the tokenizer.json that belongs to it.
absl::StatusOr<std::unique_ptr<Tokenizer>> BpeTokenizerFromJson(const nlohmann::json& json,
                                                                std::string_view file_bytes);

}  // namespace ridgeline
