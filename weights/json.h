// SPDX-License-Identifier: Apache-2.0
// JSON from strangers, strictly: nesting that is too deep, texts that are too long and keys that repeat are refused,
// not passed on. A byte order mark before the text is skipped. Every JSON that comes from outside is read here.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

struct JsonOptions {
  int max_depth = 64;
  size_t max_bytes = size_t{1} << 28;  // Gemma 3's tokenizer.json has 33 MB.
  // Whether NaN, Infinity and -Infinity are numbers, as Python's json writes them. Who takes them has to look for them.
  bool non_finite = false;
};

// For a model's config.json and the like.
inline constexpr JsonOptions kConfigJson = {.max_bytes = size_t{1} << 20, .non_finite = true};

// An object. DATA_LOSS says what is wrong and where, without the file's name. Memory is within a fixed factor of the
// text. Safe on any input.
absl::StatusOr<nlohmann::json> ParseJsonObject(std::string_view text, const JsonOptions& options = {});

// The same from a file; errors name it. NOT_FOUND if there is none, RESOURCE_EXHAUSTED if it is too long.
absl::StatusOr<nlohmann::json> ReadJsonFile(const std::string& path, const JsonOptions& options = {});

}  // namespace ridgeline
