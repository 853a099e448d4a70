// SPDX-License-Identifier: Apache-2.0
// What the journal keeps of a worker group's result.
#pragma once

#include "ridgeline/v1/journal.pb.h"
#include "ridgeline/v1/worker.pb.h"

namespace ridgeline {

// A completed attempt without a finite loss has not succeeded, and a point that nobody can have measured must not stand
// on the frontier: ERROR then. Every end but a good one has an exit reason. `wants_point`: the recipe exports one;
// `stop_at_step`: where the attempt was told to stop, or 0.
v1::AttemptEnded EndOf(const v1::AttemptResult& result, bool wants_point, int64_t stop_at_step);

}  // namespace ridgeline
