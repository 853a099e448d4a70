// SPDX-License-Identifier: Apache-2.0
// From a tensor and its spec to the matrix that the kernels see.
#pragma once

#include <ATen/core/Tensor.h>

#include "quant/kernels/kernel_matrix.h"

namespace ridgeline {

// x: (..., features), contiguous. Reads all of x for nvfp4 and nvint4, whose tensor scale needs its largest number;
// otherwise it looks at the shape only. REQUIRES: ValidateQuantizerSpec and ValidateFeatures accept spec.
KernelMatrix MatrixForKernels(const at::Tensor& x, const QuantizerSpec& spec);

}  // namespace ridgeline
