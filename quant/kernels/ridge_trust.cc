// SPDX-License-Identifier: Apache-2.0
// Ridge dequantization on a Gaussian grid, whose gradient trusts only what the grid can tell apart. The forward pass is
// that of ridge. In the backward pass trusted elements pass their gradient straight through, the others none. Neither
// the grid's statistics nor, but for fit_gradient graph, the regression are differentiated.
#include "quant/kernels/kernel_table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/ridge_trust.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/block_estimator.h"
#include "quant/kernels/blockwise-inl.h"
#include "quant/kernels/ridge-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

template <typename T>
HWY_INLINE void FitRidgeTrustBlock(const ResolvedSpec& spec, const Block<T>& block, FittedGrid<T>* fitted) {
  FitOntoGrid(spec, block, fitted, [&](const Grid<T>& grid) RIDGELINE_ALWAYS_INLINE {
    return TrustRecorder<T>(TrustedCodesOf(spec, grid), grid, block);
  });
}

RIDGELINE_FITTED_BLOCK_FUNCTIONS(RidgeTrust, MeasureRidge, FitRidgeTrustBlock, RidgeForward, RestoreRidge,
                                 RidgeBackward</*kTrust=*/true>)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
RIDGELINE_BLOCK_ESTIMATOR(RidgeTrust)
}  // namespace ridgeline
#endif  // HWY_ONCE
