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

// Where the grid does not clip.
template <typename T>
class Inside {
 public:
  HWY_INLINE explicit Inside(const Grid<T>& grid) {
    const T beyond = grid.is_sign ? T(0) : grid.half_last_step;
    low_ = Min(grid.lowest, grid.extra) - beyond;
    high_ = Max(grid.highest, grid.extra) + beyond;
  }
  template <class D>
  HWY_INLINE hn::Mask<D> operator()(D d, int64_t, hn::Vec<D> f) const {
    return hn::And(hn::Ge(f, hn::Set(d, low_)), hn::Le(f, hn::Set(d, high_)));
  }

 private:
  T low_, high_;
};

template <typename T>
HWY_INLINE void SteClipForward(const QuantizerSpec& spec, const Grid<T>& grid, const Block<T>& block, T* x_hat) {
  RoundOntoGrid(spec, grid, block, x_hat);
  RecordTrust(grid, block, Inside<T>(grid));
}

template <typename T>
HWY_INLINE void SteClipBackward(const QuantizerSpec&, const Grid<T>& grid, const Block<T>& block, const T* v, T* dx) {
  const Inside<T> is_inside(grid);
  ForEachVector<T>(block.n, [&](auto d, int64_t i) HWY_ATTR {
    const auto f = GridValue(d, grid, block.x + i);
    hn::StoreU(hn::IfThenElseZero(is_inside(d, i, f), hn::LoadU(d, v + i)), d, dx + i);
  });
}

RIDGELINE_GRID_FUNCTIONS(SteClip, SteClipForward, SteClipBackward)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
RIDGELINE_BLOCK_ESTIMATOR(SteClip, "ste_clip")
}  // namespace ridgeline
#endif  // HWY_ONCE
