// SPDX-License-Identifier: Apache-2.0
#include "quant/autograd/granularity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "method/format.h"
#include "method/hadamard_sign.h"
#include "quant/autograd/torch_pch.h"
#include "quant/kernels/hadamard.h"

namespace ridgeline {
namespace {

// The largest finite |x|; 0 for none.
template <typename T>
double LargestFinite(const T* x, int64_t n) {
  double largest = 0;
  for (int64_t i = 0; i < n; ++i)
    if (const double size = std::abs(static_cast<double>(x[i])); std::isfinite(size)) largest = std::max(largest, size);
  return largest;
}

template <typename T>
double LargestOfTensor(const at::Tensor& x, const QuantizerSpec& spec) {
  const T* numbers = x.const_data_ptr<T>();
  if (!spec.hadamard) return LargestFinite(numbers, x.numel());
  std::vector<T> rotated(static_cast<size_t>(spec.block));
  double largest = 0;
  for (int64_t begin = 0; begin < x.numel(); begin += spec.block) {
    for (int64_t i = 0; i < spec.block; ++i) {
      const bool flips = spec.hadamard_signs && HadamardSign((begin + i) % x.size(-1)) < 0;
      rotated[static_cast<size_t>(i)] = flips ? -numbers[begin + i] : numbers[begin + i];
    }
    Hadamard(rotated.data(), spec.block, rotated.data());
    largest = std::max(largest, LargestFinite(rotated.data(), spec.block));
  }
  return largest;
}

}  // namespace

KernelMatrix MatrixForKernels(const at::Tensor& x, const QuantizerSpec& spec) {
  const int64_t features = x.size(-1);
  KernelMatrix matrix{x.numel() / std::max<int64_t>(1, features), features, spec};
  if (spec.granularity == Granularity::kTensor) {
    matrix.rows = 1;
    matrix.features = x.numel();
  }
  if (spec.granularity != Granularity::kBlock) matrix.spec.block = std::max<int64_t>(2, matrix.features);
  matrix.spec.granularity = Granularity::kBlock;
  if (ScaleEncodingOf(spec.format) == ScaleEncoding::kE4m3)
    matrix.spec.tensor_max = x.scalar_type() == at::kDouble ? LargestOfTensor<double>(x, spec)
                                                            : LargestOfTensor<float>(x.to(at::kFloat), spec);
  return matrix;
}

}  // namespace ridgeline
