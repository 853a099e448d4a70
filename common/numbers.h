// SPDX-License-Identifier: Apache-2.0
// Numbers as people type them, whole texts only: no blanks, no "nan", nothing past the range. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ridgeline {

// INVALID_ARGUMENT: "'nan' is not a number from 0 to 100". REQUIRES: finite limits.
absl::StatusOr<double> ParseNumber(std::string_view text, double low, double high);

// INVALID_ARGUMENT: "'1.5' is not a whole number from 1 to 1024".
absl::StatusOr<int64_t> ParseInteger(std::string_view text, int64_t low, int64_t high);

}  // namespace ridgeline
