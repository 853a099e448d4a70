// SPDX-License-Identifier: Apache-2.0
// Memory of one rank while it trains, where each holds weights, gradients and optimizer whole; plan/shared_memory.h has
// it where ranks share them. Pure functions.
#pragma once

#include <cstdint>

#include "model/blueprint/model_config.h"
#include "plan/activations.h"
#include "plan/network.h"
#include "plan/parameters.h"

namespace ridgeline {

struct MemoryPlan {
  int64_t masters_bytes = 0;  // float32
  int64_t copies_bytes =
      0;  // What layers compute with, where that is not the master; where ranks share, codes of rows.
  // float32, or bfloat16 where layers compute in it and one pass makes the whole gradient; where ranks share, sums.
  int64_t gradients_bytes = 0;
  int64_t optimizer_bytes = 0;  // AdamW's two moments, float32.
  int64_t teacher_bytes = 0;
  // Where ranks share, at the moment when a rank needs most.
  int64_t gathered_bytes = 0;     // Units that others hold too: as they arrive, and to compute with.
  int64_t in_flight_bytes = 0;    // Gradients of whole units, until their parts are where they belong.
  int64_t activations_bytes = 0;  // Kept from the forward to the backward pass.
  int64_t working_bytes = 0;      // The most that comes and goes beside them.

  int64_t state_bytes() const {
    return masters_bytes + copies_bytes + gradients_bytes + optimizer_bytes + teacher_bytes;
  }
  int64_t moment_bytes() const { return gathered_bytes + in_flight_bytes + activations_bytes + working_bytes; }
  int64_t peak_bytes() const { return state_bytes() + moment_bytes(); }
};

// What the passes of the rank with most sequences keep. REQUIRES, here and below: the recipe's defaults are filled in;
// ranks > 0.
ActivationBytes ActivationsOfRank(const v1::Recipe& recipe, const ModelConfig& config, const Quantizers& quantizers,
                                  int64_t ranks);

// A teacher's masters and compute copies, whole on every rank; 0 without one.
int64_t TeacherBytes(const v1::Recipe& recipe, const ModelConfig& config);

MemoryPlan PlanMemory(const v1::Recipe& recipe, const ModelConfig& config, const Quantizers& quantizers, int64_t ranks);

}  // namespace ridgeline
