// SPDX-License-Identifier: Apache-2.0
// The normalised Walsh-Hadamard transform of a block: orthogonal, symmetric, its own inverse, O(n log n).
#pragma once

#include <cstdint>

namespace ridgeline {

// y = H x with H[i][j] = (-1)^popcount(i & j) / sqrt(n). Dispatches to the best instruction set, does not allocate.
// REQUIRES: n is a power of two; y is x or does not overlap it. Finite where n times the largest |x| is.
void Hadamard(const float* x, int64_t n, float* y);
void Hadamard(const double* x, int64_t n, double* y);

}  // namespace ridgeline
