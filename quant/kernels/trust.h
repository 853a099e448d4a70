// SPDX-License-Identifier: Apache-2.0
// The backward pass BackwardPass::kTrusted: the gradient is that of x_hat where x is trusted, and 0 elsewhere.
// The forward pass saves who is trusted, a bit an element; x need not be kept.
#pragma once

#include <cstdint>

#include "method/quantizer_spec.h"
#include "quant/kernels/numbers.h"

namespace ridgeline {

// dx = v where x is trusted, 0 elsewhere, in V = float, double or BFloat16; with spec.hadamard of the rotated blocks,
// rotated back. `trusted` is what Estimator::Forward saved with this spec. What had no grid is trusted: a block whose
// x_hat is NaN passes v as it is. dx may be v; thread-safe, calls on disjoint rows may run on different threads.
// REQUIRES: as Estimator::Forward, and PassesTrustedGradient(spec).
template <typename V>
void PassTrusted(const QuantizerSpec& spec, const uint8_t* trusted, const V* v, int64_t rows, int64_t features, V* dx);

}  // namespace ridgeline
