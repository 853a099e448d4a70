// SPDX-License-Identifier: Apache-2.0
// JSON from strangers: nesting that is too deep and keys that repeat are refused, not passed on.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

// An object. DATA_LOSS says what is wrong, without the file's name. Memory is within a fixed factor of the text.
absl::StatusOr<nlohmann::json> ParseJsonObject(std::string_view text, int max_depth);

}  // namespace ridgeline
