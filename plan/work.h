// SPDX-License-Identifier: Apache-2.0
// Arithmetic and traffic of one optimizer step, and how long a device takes for them. Pure functions.
#pragma once

#include <cstdint>

#include "model/blueprint/model_config.h"
#include "plan/device.h"
#include "plan/network.h"
#include "plan/overlap.h"
#include "plan/traffic.h"

namespace ridgeline {

struct WorkPlan {
  double flops = 0;            // Of the rank with most sequences; a multiplication and an addition are two.
  Traffic traffic;             // What a rank sends.
  double fsdp_bytes = 0;       // What it would send, were the network not quantized (FsdpBytes).
  double compute_seconds = 0;  // 0 where the device's rate is not known.
  WireSeconds wire;

  double step_seconds() const { return compute_seconds > 0 ? compute_seconds + wire.exposed : 0; }
  // Of the time on the wire; 0 where there is none.
  double hidden_share() const { return wire.all > 0 ? 1 - wire.exposed / wire.all : 0; }
};

// `shared`: null where every rank holds everything. REQUIRES: the recipe's defaults are filled in; ranks > 0.
WorkPlan PlanWork(const v1::Recipe& recipe, const ModelConfig& config, const Quantizers& quantizers,
                  const Degrees& degrees, const SharedModel* shared, const Device& device);

}  // namespace ridgeline
