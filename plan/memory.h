// SPDX-License-Identifier: Apache-2.0
// Memory of one rank while it trains. Ranks are data parallel: each holds weights, gradients and optimizer whole.
// Pure functions.
#pragma once

#include <cstdint>

#include "model/blueprint/model_config.h"
#include "plan/network.h"
#include "plan/parameters.h"

namespace ridgeline {

struct MemoryPlan {
  int64_t masters_bytes = 0;  // float32
  int64_t copies_bytes = 0;   // What layers compute with, where that is not the master.
  int64_t gradients_bytes =
      0;  // float32, or bfloat16 where layers compute in it and one pass makes the whole gradient.
  int64_t optimizer_bytes = 0;  // AdamW's two moments, float32.
  int64_t teacher_bytes = 0;
  int64_t activations_bytes = 0;  // Kept from the forward to the backward pass.
  int64_t working_bytes = 0;      // The most that comes and goes beside them.

  int64_t state_bytes() const {
    return masters_bytes + copies_bytes + gradients_bytes + optimizer_bytes + teacher_bytes;
  }
  int64_t peak_bytes() const { return state_bytes() + activations_bytes + working_bytes; }
};

// REQUIRES: the recipe's defaults are filled in; ranks > 0.
MemoryPlan PlanMemory(const v1::Recipe& recipe, const ModelConfig& config, const Quantizers& quantizers, int64_t ranks);

}  // namespace ridgeline
