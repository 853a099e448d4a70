// SPDX-License-Identifier: Apache-2.0
// Products of a few rows with a large matrix, whose numbers are read once, at the speed of memory, and multiplied as
// float. No LibTorch here.
#pragma once

#include <cstdint>

#include "model/kernels/rows.h"

namespace ridgeline::rows {

// out[i * stride + j] = <x_i, w_j>, summed in float. x: (count, n), w: (rows, n), both row-major; T is float or
// Bfloat16. Dispatches to the best instruction set; does not allocate. Thread-safe; callers split the rows of w over
// threads.
template <typename T>
void DotRows(const float* x, int64_t count, const T* w, int64_t rows, int64_t n, float* out, int64_t stride);

}  // namespace ridgeline::rows
