// SPDX-License-Identifier: Apache-2.0
// QuEST with a scale for each block (docs/methods.md#quest): a linear Gaussian grid, and a straight-through gradient
// for trusted codes only. The scale is never differentiated; the Hadamard rotation is the spec's. A pruned element is
// trusted where its zero errs by at most half the distance of two levels.
#include "quant/kernels/kernel_table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/quest.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/block_estimator.h"
#include "quant/kernels/blockwise-inl.h"
#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

template <typename T>
HWY_INLINE void QuestForward(const ResolvedSpec& spec, const Grid<T>& grid, const Block<T>& block, T* x_hat) {
  RoundOntoGrid(spec, grid, block, x_hat, TrustRecorder<T>(TrustedCodesOf(spec, grid), grid, block));
}

template <typename T>
HWY_INLINE void QuestBackward(const ResolvedSpec& spec, const Grid<T>& grid, const Block<T>& block, const T* v, T* dx) {
  PassTrustedGradient(TrustedCodesOf(spec, grid), grid, block, v, dx);
}

RIDGELINE_GRID_FUNCTIONS(Quest, QuestForward, QuestBackward)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
RIDGELINE_BLOCK_ESTIMATOR(Quest)
}  // namespace ridgeline
#endif  // HWY_ONCE
