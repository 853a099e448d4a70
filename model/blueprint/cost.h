// SPDX-License-Identifier: Apache-2.0
// What a network costs to store and to run, from its parameter list. No LibTorch. Pure functions.
#pragma once

#include "model/blueprint/quantizers.h"
#include "quant/cost/accounting.h"

namespace ridgeline {

// A weight's learned scale is part of what its format stores; all else that is learned is stored beside the weights.
ModelCost CostOf(const ParameterList& parameters, const Quantizers& quantizers);

}  // namespace ridgeline
