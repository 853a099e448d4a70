// SPDX-License-Identifier: Apache-2.0
// Arithmetic and traffic of one optimizer step, and how long a device takes for them. Pure functions.
#pragma once

#include <cstdint>

#include "model/blueprint/model_config.h"
#include "plan/device.h"
#include "plan/network.h"
#include "plan/parameters.h"

namespace ridgeline {

struct WorkPlan {
  double flops = 0;            // Of the rank with most sequences; a multiplication and an addition are two.
  double wire_bytes = 0;       // That each rank sends.
  double compute_seconds = 0;  // 0 where the device's rate is not known.
  double wire_seconds = 0;

  double step_seconds() const { return compute_seconds > 0 ? compute_seconds + wire_seconds : 0; }
};

// REQUIRES: the recipe's defaults are filled in; ranks > 0.
WorkPlan PlanWork(const v1::Recipe& recipe, const ModelConfig& config, const ParameterCounts& counts, int64_t ranks,
                  const Device& device);

}  // namespace ridgeline
