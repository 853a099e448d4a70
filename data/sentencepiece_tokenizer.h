// SPDX-License-Identifier: Apache-2.0
// The SentencePiece tokenizer's JSON form, for LoadTokenizer.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "data/tokenizer.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

// {"kind": "sentencepiece", "model_base64": "..."}: the model travels with the dataset.
absl::StatusOr<std::unique_ptr<Tokenizer>> SentencePieceTokenizerFromJson(const nlohmann::json& json);

}  // namespace ridgeline
