// SPDX-License-Identifier: Apache-2.0
// How long a job still trains, by its newest metrics.
#pragma once

#include "ridgeline/v1/job.pb.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// By tokens per second, or else by the last step's duration. 0 where neither is known.
double RemainingSeconds(const v1::Training& training, const v1::MetricPoint& point);

}  // namespace ridgeline
