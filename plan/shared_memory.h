// SPDX-License-Identifier: Apache-2.0
// Memory of one rank while it trains, where ranks share a copy of the model. Pure functions.
#pragma once

#include "plan/memory.h"
#include "plan/units.h"

namespace ridgeline {

struct SharedMemoryOptions {
  int64_t element_bytes = 4;  // Of the compute dtype.
  bool reshards = true;
  int64_t sum_bytes = 4;  // Of a number of a gradient's sum (SumBytes).
  int64_t teacher_bytes = 0;
};

// Of the rank that needs most.
MemoryPlan PlanSharedMemory(const SharedModel& model, const ActivationBytes& activations,
                            const SharedMemoryOptions& options);

}  // namespace ridgeline
