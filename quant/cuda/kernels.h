// SPDX-License-Identifier: Apache-2.0
// The block estimators on a CUDA device: one warp for each block of 128, smaller blocks share one, larger ones have
// more numbers in each lane (lane_layout.h), above 256 in local memory. A call reads and writes each number once and
// allocates nothing.
//
// Every array is the caller's, on the current device, row-major (rows, features), and is read and written in the
// order of `stream`; a call returns as soon as the work is queued. Arrays need no alignment beyond their type's;
// where all of a call's begin at a multiple of four numbers, and features and block are multiples of four, loads are
// of four numbers. Threads may call at the same time. Compute capability 8.0 or above.
//
// Errors are CUDA's own: cudaErrorInvalidValue for negative sizes or more than 2^31 - 1 blocks, else what the launch
// gives. Errors within a kernel show up at the stream's next synchronisation, as always with CUDA.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "quant/cuda/block_params.h"
#include "quant/cuda/number_array.h"

namespace ridgeline::cuda {

// x_hat = dequantized x. REQUIRES: params are those of ParamsOfSpec, and ValidateFeatures accepts `features` for the
// spec. Numbers that are not finite make their block NaN, and no other (docs/methods.md).
cudaError_t Forward(const BlockParams& params, ConstArray x, int64_t rows, int64_t features, MutableArray x_hat,
                    cudaStream_t stream);

// dx = dL/dx from v = dL/dx_hat, in closed form; codes and statistics are computed again from x. dx may be v. Where
// PassesGradient(spec) is true, dx is v and the call is not needed.
cudaError_t Backward(const BlockParams& params, ConstArray x, ConstArray v, int64_t rows, int64_t features,
                     MutableArray dx, cudaStream_t stream);

}  // namespace ridgeline::cuda
