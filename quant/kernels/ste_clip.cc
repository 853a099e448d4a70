// SPDX-License-Identifier: Apache-2.0
// Straight-through with a clip (docs/methods.md#ste_clip): the forward pass of ste, and a gradient only where rounding
// alone leads to the code. That is where f lies within half a step of the outermost levels; for signs, where |x| is at
// most the level.
#include "quant/kernels/kernel_table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/ste_clip.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/block_estimator.h"
#include "quant/kernels/blockwise-inl.h"
#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// Where the grid does not clip. It has no sparse form.
template <typename T>
HWY_INLINE TrustedCodes<T> UnclippedCodes(const Grid<T>& grid) {
  const T beyond = grid.is_sign ? T(0) : grid.half_last_step;
  return {Min(grid.lowest, grid.extra) - beyond, Max(grid.highest, grid.extra) + beyond, T(0)};
}

template <typename T>
HWY_INLINE void SteClipForward(const ResolvedSpec& spec, const Grid<T>& grid, const Block<T>& block, T* x_hat) {
  RoundOntoGrid(spec, grid, block, x_hat, TrustRecorder<T>(UnclippedCodes(grid), grid, block));
}

template <typename T>
HWY_INLINE void SteClipBackward(const ResolvedSpec&, const Grid<T>& grid, const Block<T>& block, const T* v, T* dx) {
  PassTrustedGradient(UnclippedCodes(grid), grid, block, v, dx);
}

RIDGELINE_GRID_FUNCTIONS(SteClip, SteClipForward, SteClipBackward)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
RIDGELINE_BLOCK_ESTIMATOR(SteClip)
}  // namespace ridgeline
#endif  // HWY_ONCE
