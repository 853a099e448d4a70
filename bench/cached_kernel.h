// SPDX-License-Identifier: Apache-2.0
// What a quantizer's instructions take, memory aside.
#pragma once

#include "method/quantizer_spec.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

// Nanoseconds a number of the kernels alone, on this thread, over numbers that stay in the innermost cache; the least
// of many. `backward` is what runs where the forward pass has saved what it can.
struct CachedNanoseconds {
  double forward = 0;
  double backward = 0;
};

// REQUIRES: EstimatorFor(spec) is ok, and type is at::kFloat or at::kBFloat16.
CachedNanoseconds MeasureCached(const QuantizerSpec& spec, at::ScalarType type);

}  // namespace ridgeline
