// SPDX-License-Identifier: Apache-2.0
// What people type as option values: selectors, overrides, durations, states. All pure.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// "a=1,b=2", repeated. INVALID_ARGUMENT for a part without '=', an empty key, or two values for one key.
absl::StatusOr<std::map<std::string, std::string>> ParseSelector(const std::vector<std::string>& texts);

// "key=value"; the value may hold '=' and ','.
absl::StatusOr<std::pair<std::string, std::string>> ParseOverride(const std::string& text);

// "90", "90s", "10m", "2h", "1d"; fractions are fine. INVALID_ARGUMENT otherwise.
absl::StatusOr<std::chrono::milliseconds> ParseDuration(const std::string& text);

// "running,queued", repeated, in any case.
absl::StatusOr<std::vector<v1::JobState>> ParseJobStates(const std::vector<std::string>& texts);

}  // namespace ridgeline
