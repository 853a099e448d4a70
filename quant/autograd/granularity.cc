// SPDX-License-Identifier: Apache-2.0
#include "quant/autograd/granularity.h"

#include <algorithm>

#include "method/format.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

template <typename T>
double LargestOfTensor(const at::Tensor& x, const QuantizerSpec& spec, int64_t rows) {
  return LargestOfMatrix(spec, x.const_data_ptr<T>(), rows, x.size(-1));
}

}  // namespace

KernelMatrix MatrixForKernels(const at::Tensor& x, const QuantizerSpec& spec) {
  const int64_t features = x.size(-1), rows = x.numel() / std::max<int64_t>(1, features);
  KernelMatrix matrix = KernelMatrixOf(spec, rows, features);
  if (ScaleEncodingOf(spec.format) == ScaleEncoding::kE4m3)
    matrix.spec.tensor_max = x.scalar_type() == at::kDouble ? LargestOfTensor<double>(x, spec, rows)
                                                            : LargestOfTensor<float>(x.to(at::kFloat), spec, rows);
  return matrix;
}

}  // namespace ridgeline
