// SPDX-License-Identifier: Apache-2.0
// From a tensor and its spec to the matrix that the kernels see: rows, features and a block for every granularity, and
// what the tensor as a whole tells its blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include "method/quantizer_spec.h"

namespace ridgeline {

struct KernelMatrix {
  int64_t rows = 0;
  int64_t features = 0;
  QuantizerSpec spec;  // Granularity kBlock, with the block that the tensor's own granularity comes to.
};

// x: (..., features), contiguous. Reads all of x for nvfp4 and nvint4, whose tensor scale needs its largest number;
// otherwise it looks at the shape only. REQUIRES: ValidateQuantizerSpec and ValidateFeatures accept spec.
KernelMatrix MatrixForKernels(const at::Tensor& x, const QuantizerSpec& spec);

}  // namespace ridgeline
