// SPDX-License-Identifier: Apache-2.0
// What changes over a run: the learning rate (linear warm-up, then decay to a fraction of the peak) and the sparsity.
#pragma once

#include <cstdint>

#include "method/quantizer_spec.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// step counts from 0. REQUIRES: the recipe's defaults are filled in.
double LearningRateAt(const v1::Recipe& recipe, int64_t step);

// How many of every m weights are kept at a step: more than sparsity.pattern says before the last of
// sparsity.schedule_steps where the schedule says so, and the pattern from that step on. So a run's last step trains at
// the pattern, also where the schedule takes all of it. REQUIRES: `pattern` is the recipe's, parsed.
SparsityPattern SparsityAt(const v1::Recipe& recipe, const SparsityPattern& pattern, int64_t step);

}  // namespace ridgeline
