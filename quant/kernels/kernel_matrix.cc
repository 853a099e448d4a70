// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/kernel_matrix.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "method/hadamard_sign.h"
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
double Largest(const QuantizerSpec& spec, const T* x, int64_t rows, int64_t features) {
  const int64_t n = rows * features;
  if (!spec.hadamard) return LargestFinite(x, n);
  std::vector<T> rotated(static_cast<size_t>(spec.block));
  double largest = 0;
  for (int64_t begin = 0; begin < n; begin += spec.block) {
    for (int64_t i = 0; i < spec.block; ++i) {
      const bool flips = spec.hadamard_signs && HadamardSign((begin + i) % features) < 0;
      rotated[static_cast<size_t>(i)] = flips ? -x[begin + i] : x[begin + i];
    }
    Hadamard(rotated.data(), spec.block, rotated.data());
    largest = std::max(largest, LargestFinite(rotated.data(), spec.block));
  }
  return largest;
}

}  // namespace

KernelMatrix KernelMatrixOf(const QuantizerSpec& spec, int64_t rows, int64_t features) {
  KernelMatrix matrix{rows, features, spec};
  if (spec.granularity == Granularity::kTensor) {
    matrix.rows = 1;
    matrix.features = rows * features;
  }
  if (spec.granularity != Granularity::kBlock) matrix.spec.block = std::max<int64_t>(2, matrix.features);
  matrix.spec.granularity = Granularity::kBlock;
  return matrix;
}

double LargestOfMatrix(const QuantizerSpec& spec, const float* x, int64_t rows, int64_t features) {
  return Largest(spec, x, rows, features);
}
double LargestOfMatrix(const QuantizerSpec& spec, const double* x, int64_t rows, int64_t features) {
  return Largest(spec, x, rows, features);
}

}  // namespace ridgeline
