// SPDX-License-Identifier: Apache-2.0
#include "model/weight_product.h"

#include <span>

#include "model/packed_weights.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

at::Tensor ProductWith(const at::Tensor& x, const Parameter& weight) {
  return weight.packed == nullptr ? weight.ops->Product(x, weight.compute.t()) : Product(x, *weight.packed);
}

at::Tensor RowsOf(const Parameter& table, const at::Tensor& indices, at::ScalarType dtype) {
  if (table.packed == nullptr) return at::embedding(table.compute, indices).to(dtype);
  const int64_t columns = table.packed->features();
  const at::Tensor wanted = indices.contiguous();
  const std::span<const int64_t> numbers(wanted.const_data_ptr<int64_t>(), static_cast<size_t>(wanted.numel()));
  for (const int64_t row : numbers)
    TORCH_CHECK(row >= 0 && row < table.packed->rows(), "token ", row, " is not one of ", table.packed->rows());
  at::Tensor rows = at::empty({wanted.numel(), columns}, at::kFloat);
  DecodeRows(table.packed->view(), numbers, Rotated::kBack, rows.mutable_data_ptr<float>());
  std::vector<int64_t> shape = indices.sizes().vec();
  shape.push_back(columns);
  return rows.view(shape).to(dtype);
}

}  // namespace ridgeline
