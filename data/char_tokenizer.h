// SPDX-License-Identifier: Apache-2.0
// The character tokenizer's JSON form, for LoadTokenizer.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "data/tokenizer.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

// {"kind": "char", "vocabulary": ["\n", " ", "!", ...]}: one code point an entry, strictly rising; else DATA_LOSS.
absl::StatusOr<std::unique_ptr<Tokenizer>> CharTokenizerFromJson(const nlohmann::json& json);

}  // namespace ridgeline
