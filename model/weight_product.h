// SPDX-License-Identifier: Apache-2.0
// What layers, the head and the embedding do with a weight, be it a matrix of numbers or, in a packed model that is
// used, of codes.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/parameter.h"

namespace ridgeline {

// x: (n, in) -> x w^T: (n, out) of its dtype. Shares LibTorch's threads.
at::Tensor ProductWith(const at::Tensor& x, const Parameter& weight);

// indices: (...) int64 -> (..., columns): the rows of those numbers, of `dtype`. Throws c10::Error for one that is not
// there.
at::Tensor RowsOf(const Parameter& table, const at::Tensor& indices, at::ScalarType dtype);

}  // namespace ridgeline
