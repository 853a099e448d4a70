// SPDX-License-Identifier: Apache-2.0
// The learning rate at a step: linear warm-up, then decay to a fraction of the peak.
#pragma once

#include <cstdint>

#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// step counts from 0. REQUIRES: the recipe's defaults are filled in.
double LearningRateAt(const v1::Recipe& recipe, int64_t step);

}  // namespace ridgeline
