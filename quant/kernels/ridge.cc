// SPDX-License-Identifier: Apache-2.0
// Ridge dequantization (arXiv 2409.09245): q = f(x) + delta with delta detached, and a ridge regression of x on q.
//   affine: x_hat = a (q - mean q) + mean x,  a = Cov(x, q) / (Var q + lambda)
//   linear: x_hat = a q,                      a = mean(q x) / (mean(q^2) + lambda)
// Gradients in closed form: docs/methods.md#ridge, with the terms of the grid's statistics where they stay in the
// graph. Sparse, q is 0 where pruned, and the means still run over the whole block and the dense x.
#include "quant/kernels/kernel_table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/ridge.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/block_estimator.h"
#include "quant/kernels/blockwise-inl.h"
#include "quant/kernels/ridge-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

template <typename T>
HWY_INLINE void FitRidgeBlock(const ResolvedSpec& spec, const Block<T>& block, FittedGrid<T>* fitted) {
  FitOntoGrid(spec, block, fitted, [](const Grid<T>&) { return NothingMore(); });
}

RIDGELINE_FITTED_BLOCK_FUNCTIONS(Ridge, MeasureRidge, FitRidgeBlock, RidgeForward, RestoreRidge,
                                 RidgeBackward</*kTrust=*/false>)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
RIDGELINE_BLOCK_ESTIMATOR(Ridge)
}  // namespace ridgeline
#endif  // HWY_ONCE
