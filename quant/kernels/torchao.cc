// SPDX-License-Identifier: Apache-2.0
// torchao's fake quantization (docs/methods.md#torchao), bit for bit in float32: the arithmetic and its order are the
// package's.
//   linear  s = max(max |x| / ((highest - lowest) / 2), smallest normal number),  zero = 0
//   affine  s = max((max(x, 0) - min(x, 0)) / (highest - lowest), 2^-23),  zero = lowest - round(min(x, 0) / s),
//   clamped x_hat = (clamp(round(x (1 / s)) + zero, lowest, highest) - zero) s,  lowest = -2^(b-1), highest = 2^(b-1) -
//   1
// The gradient passes where nothing was clamped. At an odd divisor such as 7.5 the largest positive number of a linear
// block lies half a step beyond the grid: it is clamped, and has no gradient, unless 1 / s was rounded down.
#include <limits>

#include "quant/kernels/kernel_table.h"

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
  T inverse_scale;  // 0 where a number is not finite.
  T zero;
  T lowest;
  T highest;
};

template <typename T>
HWY_INLINE ZeroPointGrid<T> ZeroPointGridOf(const ResolvedSpec& spec, const Block<T>& block) {
  const T* HWY_RESTRICT x = block.x;
  const int64_t n = block.n;
  if (!IsFinite(x, n)) return {};
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

// Not clamped yet.
template <class D, typename T>
HWY_INLINE hn::Vec<D> FreeCode(D d, const ZeroPointGrid<T>& grid, const T* x) {
  return hn::Add(hn::Round(hn::Mul(hn::LoadU(d, x), hn::Set(d, grid.inverse_scale))), hn::Set(d, grid.zero));
}

template <class D, typename T>
HWY_INLINE hn::Mask<D> IsOnGrid(D d, const ZeroPointGrid<T>& grid, hn::Vec<D> code) {
  return hn::And(hn::Ge(code, hn::Set(d, grid.lowest)), hn::Le(code, hn::Set(d, grid.highest)));
}

template <typename T>
HWY_INLINE void TorchaoForward(const ResolvedSpec& spec, const ZeroPointGrid<T>& grid, const Block<T>& block,
                               T* x_hat) {
  if (grid.inverse_scale == T(0)) return ReproduceTrustedBlock(spec, block, x_hat);
  ClearTrust(block);
  // As codes, and stored, -zero s is an offset like others.
  const bool has_offset = spec.stores_scales() || spec.encodes;
  const T offset = grid.zero == T(0) ? T(0) : -grid.zero * grid.scale, zero = has_offset ? T(0) : grid.zero;
  const LevelMap<T> map = has_offset ? MapOf(spec, block, grid.scale, offset) : LevelMap<T>{grid.scale, T(0)};
  ForEachVector<T>(block.n, [&](auto d, int64_t i) HWY_ATTR {
    const auto code = FreeCode(d, grid, block.x + i);
    const auto clamped = hn::Min(hn::Max(code, hn::Set(d, grid.lowest)), hn::Set(d, grid.highest));
    const auto level = hn::Sub(clamped, hn::Set(d, zero));
    hn::StoreU(hn::MulAdd(level, hn::Set(d, map.scale), hn::Set(d, map.offset)), d, x_hat + i);
    RecordTrust(d, IsOnGrid(d, grid, code), i, block);
  });
}

template <typename T>
HWY_INLINE void TorchaoBackward(const ResolvedSpec&, const ZeroPointGrid<T>& grid, const Block<T>& block, const T* v,
                                T* dx) {
  if (grid.inverse_scale == T(0)) return PassGradient(block, v, dx);
  ForEachVector<T>(block.n, [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::IfThenElseZero(IsOnGrid(d, grid, FreeCode(d, grid, block.x + i)), hn::LoadU(d, v + i)), d, dx + i);
  });
}

RIDGELINE_BLOCK_FUNCTIONS(Torchao, ZeroPointGridOf, TorchaoForward, TorchaoBackward)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
RIDGELINE_BLOCK_ESTIMATOR(Torchao)
}  // namespace ridgeline
#endif  // HWY_ONCE
