// SPDX-License-Identifier: Apache-2.0
// What a sweep's child changes in its parent's recipe, so that a thousand children do not hold it a thousand times.
#pragma once

#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// What turns `base` into `changed`; the sweep of `base` does not count, since a child has none.
v1::RecipeDifference DifferenceBetween(const v1::Recipe& base, v1::Recipe changed);

// REQUIRES: `recipe` equals, in all that the difference names, the base that it was made from.
void ApplyDifference(const v1::RecipeDifference& difference, v1::Recipe* recipe);

// Puts the difference in place of the child's recipe and labels. REQUIRES: its labels are those of its recipe.
void HoldDifference(const v1::Recipe& parent_recipe, v1::Job* child);

}  // namespace ridgeline
