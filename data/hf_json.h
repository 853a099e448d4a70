// SPDX-License-Identifier: Apache-2.0
// What Hugging Face's JSON files share: looking up, and the map from tokens to ids.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "data/bpe_vocabulary.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

// Null where the key is absent or `json` is no object.
const nlohmann::json& At(const nlohmann::json& json, const char* key);

// DATA_LOSS.
absl::Status Wrong(const std::string& key, const std::string& expected);

// Fills `tokens` from {token: id} and from the added tokens that are there already. DATA_LOSS unless the ids count from
// 0 without holes, so that the number of entries bounds every id.
absl::Status ReadVocab(const nlohmann::json& vocab, BpeVocabulary* vocabulary);

// "left right"; nothing unless there is exactly one space.
std::optional<std::pair<std::string, std::string>> SplitMerge(std::string_view text);

}  // namespace ridgeline
