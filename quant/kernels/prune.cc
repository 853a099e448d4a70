// SPDX-License-Identifier: Apache-2.0
// Pruning alone: x_hat = mask * x with the mask detached, so the gradient passes to every number.
#include "quant/kernels/kernel_table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/prune.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/block_estimator.h"
#include "quant/kernels/blockwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

template <typename T>
HWY_INLINE void PruneForward(const ResolvedSpec&, NothingMeasured, const Block<T>& block, T* x_hat) {
  Copy(block.x_kept, block.n, x_hat);
}

template <typename T>
HWY_INLINE void PruneBackward(const ResolvedSpec&, NothingMeasured, const Block<T>& block, const T* v, T* dx) {
  Copy(v, block.n, dx);
}

RIDGELINE_BLOCK_FUNCTIONS(Pruning, MeasureNothing, PruneForward, PruneBackward)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
RIDGELINE_BLOCK_ESTIMATOR(Pruning)
}  // namespace ridgeline
#endif  // HWY_ONCE
