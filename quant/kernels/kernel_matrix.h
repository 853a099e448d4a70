// SPDX-License-Identifier: Apache-2.0
// The matrix that kernels see of one in a spec's own granularity: rows, features and a block, and what a matrix as a
// whole tells its blocks.
#pragma once

#include <cstdint>

#include "method/quantizer_spec.h"

namespace ridgeline {

struct KernelMatrix {
  int64_t rows = 0;
  int64_t features = 0;
  QuantizerSpec spec;  // Granularity kBlock, with the block that the matrix's own granularity comes to.
};

// REQUIRES: ValidateQuantizerSpec and ValidateFeatures accept spec. spec.tensor_max is left as it is.
KernelMatrix KernelMatrixOf(const QuantizerSpec& spec, int64_t rows, int64_t features);

// QuantizerSpec::tensor_max of x (rows, features): the largest finite |x|, of H x with hadamard; 0 for none. REQUIRES:
// as above.
double LargestOfMatrix(const QuantizerSpec& spec, const float* x, int64_t rows, int64_t features);
double LargestOfMatrix(const QuantizerSpec& spec, const double* x, int64_t rows, int64_t features);

}  // namespace ridgeline
