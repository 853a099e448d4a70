// SPDX-License-Identifier: Apache-2.0
// Labels of worker groups, by which jobs choose them (resources.labels): as they are typed, checked.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ridgeline {

inline constexpr size_t kMaxGroupLabels = 64;
inline constexpr size_t kMaxGroupLabelBytes = 63;  // Of a key, and of a value.

// From "key=value" each. Keys and values are letters, digits and "-_./" of ASCII, a key at least one of them.
// INVALID_ARGUMENT names the text that is none, a key with two values, and too many labels.
absl::StatusOr<std::map<std::string, std::string>> ParseGroupLabels(const std::vector<std::string>& texts);

}  // namespace ridgeline
