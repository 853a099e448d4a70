// SPDX-License-Identifier: Apache-2.0
// What an estimator's file exports (block_estimator.h), for Estimator to call.
#pragma once

#include <cstdint>
#include <tuple>

#include "method/resolved_spec.h"
#include "quant/kernels/numbers.h"

namespace ridgeline {

// What an estimator does to x in X, and to x_hat, v and dx in V.
template <typename X, typename V>
struct MatrixKernels {
  void (*forward)(const ResolvedSpec& spec, const X* x, int64_t rows, int64_t features, V* x_hat, uint8_t* saved);
  void (*backward)(const ResolvedSpec& spec, const X* x, const uint8_t* saved, const V* v, int64_t rows,
                   int64_t features, V* dx);
};

// Activations keep their type; master weights are float, and their quantized values and the gradients of those float or
// bfloat16. Block math is in double for double, else in float.
using KernelTable = std::tuple<MatrixKernels<float, float>, MatrixKernels<double, double>,
                               MatrixKernels<BFloat16, BFloat16>, MatrixKernels<float, BFloat16>>;

}  // namespace ridgeline
