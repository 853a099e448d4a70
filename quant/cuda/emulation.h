// SPDX-License-Identifier: Apache-2.0
// The CUDA kernels on the host, lane by lane: the same results bit for bit, slowly. For tests, of the block math where
// there is no GPU, and of the device where there is one.
#pragma once

#include <cstdint>

#include "quant/cuda/block_params.h"
#include "quant/cuda/number_array.h"

namespace ridgeline::cuda {

// x_hat (rows, features) from x, both row-major and on the host. REQUIRES: as for Forward in kernels.h.
void EmulateForward(const BlockParams& params, ConstArray x, int64_t rows, int64_t features, MutableArray x_hat);

// dx = dL/dx from v = dL/dx_hat. dx may be v.
void EmulateBackward(const BlockParams& params, ConstArray x, ConstArray v, int64_t rows, int64_t features,
                     MutableArray dx);

}  // namespace ridgeline::cuda
