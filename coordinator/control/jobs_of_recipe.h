// SPDX-License-Identifier: Apache-2.0
// A submitted recipe as the jobs that it stands for.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "ridgeline/v1/journal.pb.h"

namespace ridgeline {

// What one submit may add to the state; a sweep of 10,000 takes some megabytes.
inline constexpr int64_t kMaxSubmitBytes = int64_t{32} << 20;

// The job, or the parent and its children, which hold their difference from it; without ids. RESOURCE_EXHAUSTED over
// `max_bytes`, without making the jobs beyond. REQUIRES: the recipe is valid.
absl::StatusOr<v1::JobsSubmitted> JobsOfRecipe(const v1::Recipe& recipe, int64_t max_bytes = kMaxSubmitBytes);

}  // namespace ridgeline
