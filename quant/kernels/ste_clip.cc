// SPDX-License-Identifier: Apache-2.0
// Straight-through with a clip (METHODS A1): the forward pass of ste, and a gradient only where rounding alone leads to
// the code. That is where f lies within half a step of the outermost levels; for signs, where |x| is at most the level.
#include "quant/kernels/estimator.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/ste_clip.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/block_estimator.h"
#include "quant/kernels/blockwise-inl.h"
#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

template <typename T>
HWY_INLINE void SteClipForward(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n, T* HWY_RESTRICT q,
                               T* HWY_RESTRICT x_hat) {
  if (!IsFinite(x, n)) return Fill(x_hat, n, T(__builtin_nan("")));
  const Grid<T> grid = MakeGrid(spec, x, n);
  if (grid.inverse_scale == T(0)) return Copy(x, n, x_hat);
  Encode(grid, x, n, q);
  const T scale = grid.scale, offset = grid.offset;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) x_hat[i] = q[i] * scale + offset;
}

template <typename T>
HWY_INLINE void SteClipBackward(const QuantizerSpec& spec, const T* HWY_RESTRICT x, const T* HWY_RESTRICT v, int64_t n,
                                T* HWY_RESTRICT, T* HWY_RESTRICT dx) {
  const Grid<T> grid = MakeGrid(spec, x, n);
  if (grid.inverse_scale == T(0)) return Copy(v, n, dx);
  const T beyond = grid.is_sign ? T(0) : grid.half_last_step;
  const T low = Min(grid.lowest, grid.extra) - beyond, high = Max(grid.highest, grid.extra) + beyond;
  const T inverse = grid.inverse_scale, offset = grid.offset;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T f = (x[i] - offset) * inverse;
    dx[i] = f >= low && f <= high ? v[i] : T(0);
  }
}

RIDGELINE_BLOCK_FUNCTIONS(SteClip, SteClipForward, SteClipBackward)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
RIDGELINE_BLOCK_ESTIMATOR(SteClip, "ste_clip")
}  // namespace ridgeline
#endif  // HWY_ONCE
