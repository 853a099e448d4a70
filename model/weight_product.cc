// SPDX-License-Identifier: Apache-2.0
#include "model/weight_product.h"

#include "model/matrix_product.h"
#include "model/packed_weights.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

at::Tensor ProductWith(const at::Tensor& x, const Parameter& weight) {
  return weight.packed == nullptr ? MatrixProduct(x, weight.compute.t()) : Product(x, *weight.packed);
}

at::Tensor RowsOf(const Parameter& table, const at::Tensor& indices, at::ScalarType dtype) {
  if (table.packed == nullptr) return at::embedding(table.compute, indices).to(dtype);
  const int64_t columns = table.packed->features(), count = indices.numel();
  const at::Tensor wanted = indices.contiguous();
  at::Tensor rows = at::empty({count, columns}, at::kFloat);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = wanted.const_data_ptr<int64_t>()[i];
    TORCH_CHECK(row >= 0 && row < table.packed->rows(), "token ", row, " is not one of ", table.packed->rows());
    DecodeRows(table.packed->view(), row, row + 1, Rotated::kBack, rows.mutable_data_ptr<float>() + i * columns);
  }
  std::vector<int64_t> shape = indices.sizes().vec();
  shape.push_back(columns);
  return rows.view(shape).to(dtype);
}

}  // namespace ridgeline
