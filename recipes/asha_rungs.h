// SPDX-License-Identifier: Apache-2.0
// The steps at which a sweep of method asha compares its trials (asynchronous successive halving, arXiv 1810.05934).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// Ascending, each `reduction` times the one before, all below training.steps: trials that come that far are done.
// REQUIRES: a recipe of method asha whose defaults are filled in.
std::vector<int64_t> AshaRungs(const v1::Recipe& recipe);

// Whether the larger value of the metric is the better one.
bool IsLargerBetter(const std::string& metric);

}  // namespace ridgeline
