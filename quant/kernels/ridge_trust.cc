// SPDX-License-Identifier: Apache-2.0
// Ridge dequantization on a Gaussian grid, whose gradient trusts only what the grid can tell apart. The forward pass is
// that of ridge; in the backward pass f' = m / scale, where m is 1 for trusted codes and 0 for the others. The grid's
// statistics are never differentiated, the regression's are.
#include "quant/kernels/estimator.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/ridge_trust.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/blockwise.h"
#include "quant/kernels/ridge-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

void RidgeTrustForwardF32(const QuantizerSpec& spec, const float* x, int64_t n, float* q, float* x_hat) {
  RidgeForwardBlock(spec, x, n, q, x_hat);
}
void RidgeTrustForwardF64(const QuantizerSpec& spec, const double* x, int64_t n, double* q, double* x_hat) {
  RidgeForwardBlock(spec, x, n, q, x_hat);
}
void RidgeTrustBackwardF32(const QuantizerSpec& spec, const float* x, const float* v, int64_t n, float* q, float* dx) {
  RidgeBackwardBlock</*kTrust=*/true>(spec, x, v, n, q, dx);
}
void RidgeTrustBackwardF64(const QuantizerSpec& spec, const double* x, const double* v, int64_t n, double* q,
                            double* dx) {
  RidgeBackwardBlock</*kTrust=*/true>(spec, x, v, n, q, dx);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(RidgeTrustForwardF32);
HWY_EXPORT(RidgeTrustForwardF64);
HWY_EXPORT(RidgeTrustBackwardF32);
HWY_EXPORT(RidgeTrustBackwardF64);

struct RidgeTrustFunctions {
  static constexpr std::string_view kName = "ridge_trust";
  static BlockForward<float> ForwardF32() { return &HWY_DYNAMIC_DISPATCH(RidgeTrustForwardF32); }
  static BlockForward<double> ForwardF64() { return &HWY_DYNAMIC_DISPATCH(RidgeTrustForwardF64); }
  static BlockBackward<float> BackwardF32() { return &HWY_DYNAMIC_DISPATCH(RidgeTrustBackwardF32); }
  static BlockBackward<double> BackwardF64() { return &HWY_DYNAMIC_DISPATCH(RidgeTrustBackwardF64); }
};

const Estimator& RidgeTrustEstimator() {
  static const BlockwiseEstimator<RidgeTrustFunctions> estimator;
  return estimator;
}

}  // namespace ridgeline
#endif  // HWY_ONCE
