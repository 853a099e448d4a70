// SPDX-License-Identifier: Apache-2.0
// torchao's fake quantization (METHODS A1, A13), bit for bit in float32: the arithmetic and its order are the package's.
//   linear  s = max(max |x| / ((highest - lowest) / 2), smallest normal number),  zero = 0
//   affine  s = max((max(x, 0) - min(x, 0)) / (highest - lowest), 2^-23),  zero = lowest - round(min(x, 0) / s), clamped
//   x_hat = (clamp(round(x (1 / s)) + zero, lowest, highest) - zero) s,  lowest = -2^(b-1), highest = 2^(b-1) - 1
// The gradient passes where nothing was clamped. At an odd divisor such as 7.5 the largest positive number of a linear
// block lies half a step beyond the grid: it is clamped, and has no gradient, unless 1 / s was rounded down.
#include "quant/kernels/estimator.h"

#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/torchao.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/block_estimator.h"
#include "quant/kernels/blockwise-inl.h"
#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

template <typename T>
struct ZeroPointGrid {
  T scale;
  T inverse_scale;
  T zero;
  T lowest;
  T highest;
};

template <typename T>
HWY_INLINE ZeroPointGrid<T> ZeroPointGridOf(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n) {
  const T half = static_cast<T>(1 << (IntegerBits(spec.format) - 1));
  ZeroPointGrid<T> grid{T(0), T(0), T(0), -half, half - T(1)};
  if (spec.scheme == Scheme::kLinear) {
    grid.scale = Max(MaxAbs(x, n) / ((grid.highest - grid.lowest) / T(2)), std::numeric_limits<T>::min());
  } else {
    T smallest = 0, largest = 0;
#pragma omp simd reduction(min : smallest) reduction(max : largest)
    for (int64_t i = 0; i < n; ++i) {
      smallest = Min(smallest, x[i]);
      largest = Max(largest, x[i]);
    }
    grid.scale = Max((largest - smallest) / (grid.highest - grid.lowest), static_cast<T>(0x1p-23));
    grid.zero = Min(Max(grid.lowest - RoundHalfToEven(smallest / grid.scale), grid.lowest), grid.highest);
  }
  grid.inverse_scale = T(1) / grid.scale;
  return grid;
}

template <typename T>
HWY_INLINE void TorchaoForward(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n, T* HWY_RESTRICT,
                               T* HWY_RESTRICT x_hat) {
  if (!IsFinite(x, n)) return Fill(x_hat, n, T(__builtin_nan("")));
  const ZeroPointGrid<T> grid = ZeroPointGridOf(spec, x, n);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T code = RoundHalfToEven(x[i] * grid.inverse_scale) + grid.zero;
    x_hat[i] = (Min(Max(code, grid.lowest), grid.highest) - grid.zero) * grid.scale;
  }
}

template <typename T>
HWY_INLINE void TorchaoBackward(const QuantizerSpec& spec, const T* HWY_RESTRICT x, const T* HWY_RESTRICT v, int64_t n,
                                T* HWY_RESTRICT, T* HWY_RESTRICT dx) {
  const ZeroPointGrid<T> grid = ZeroPointGridOf(spec, x, n);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T code = RoundHalfToEven(x[i] * grid.inverse_scale) + grid.zero;
    dx[i] = code >= grid.lowest && code <= grid.highest ? v[i] : T(0);
  }
}

RIDGELINE_BLOCK_FUNCTIONS(Torchao, TorchaoForward, TorchaoBackward)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
RIDGELINE_BLOCK_ESTIMATOR(Torchao, "torchao")
}  // namespace ridgeline
#endif  // HWY_ONCE
