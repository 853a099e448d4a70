// SPDX-License-Identifier: Apache-2.0
// The character tokenizer's JSON form, for LoadTokenizer.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "data/tokenizer.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

// DATA_LOSS unless it is {"kind": "char", "vocabulary": ["\n", " ", "!", ...]}: one code point an entry, strictly rising.
absl::StatusOr<std::unique_ptr<Tokenizer>> CharTokenizerFromJson(const nlohmann::json& json);

}  // namespace ridgeline
