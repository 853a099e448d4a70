// SPDX-License-Identifier: Apache-2.0
// Rows of tensors on LibTorch's threads, and their numbers in the row kernels' types.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/kernels/rows.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

inline constexpr int64_t kElementsPerThread = 16 * 1024;

// Calls rows(begin, end) on LibTorch's threads.
template <typename Function>
void ForRows(int64_t rows, int64_t features, const Function& function) {
  at::parallel_for(0, rows, std::max<int64_t>(1, kElementsPerThread / std::max<int64_t>(1, features)), function);
}

template <typename Row>
const Row* In(const at::Tensor& x) {
  return static_cast<const Row*>(x.const_data_ptr());
}
template <typename Row>
Row* Out(at::Tensor& x) {
  return static_cast<Row*>(x.mutable_data_ptr());
}

// Calls function(Element()) with the row kernels' type for the tensor's dtype.
template <typename Function>
void ForElementOf(const at::Tensor& x, const Function& function) {
  if (x.scalar_type() == at::kFloat) return function(float());
  TORCH_CHECK(x.scalar_type() == at::kBFloat16, "layers compute in float32 or bfloat16, not ", x.scalar_type());
  function(rows::Bfloat16());
}

}  // namespace ridgeline
