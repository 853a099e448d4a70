// SPDX-License-Identifier: Apache-2.0
// The CUDA kernels on the host, lane by lane: the same results bit for bit, slowly. For tests, of the block math where
// there is no GPU, and of the device where there is one.
#pragma once

#include <cstdint>

#include "quant/cuda/block_params.h"
#include "quant/kernels/numbers.h"

namespace ridgeline::cuda {

// x_hat (rows, features) from x, both row-major and on the host. (X, V) is (float, float), (BFloat16, BFloat16) or
// (float, BFloat16). REQUIRES: as for Forward in kernels.h.
template <typename X, typename V>
void EmulateForward(const BlockParams& params, const X* x, int64_t rows, int64_t features, V* x_hat);

// dx = dL/dx from v = dL/dx_hat. dx may be v.
template <typename X, typename V>
void EmulateBackward(const BlockParams& params, const X* x, const V* v, int64_t rows, int64_t features, X* dx);

}  // namespace ridgeline::cuda
