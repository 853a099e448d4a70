// SPDX-License-Identifier: Apache-2.0
// Ridge dequantization (arXiv 2409.09245): q = f(x) + delta with delta detached, and a ridge regression of x on q.
//   affine: x_hat = a (q - mean q) + mean x,  a = Cov(x, q) / (Var q + lambda)
//   linear: x_hat = a q,                      a = mean(q x) / (mean(q^2) + lambda)
// Gradients in closed form: METHODS 0.3, with the terms of the grid's statistics where they stay in the graph.
#include "quant/kernels/estimator.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/ridge.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/blockwise.h"
#include "quant/kernels/ridge-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

void RidgeForwardF32(const QuantizerSpec& spec, const float* x, int64_t n, float* q, float* x_hat) {
  RidgeForwardBlock(spec, x, n, q, x_hat);
}
void RidgeForwardF64(const QuantizerSpec& spec, const double* x, int64_t n, double* q, double* x_hat) {
  RidgeForwardBlock(spec, x, n, q, x_hat);
}
void RidgeBackwardF32(const QuantizerSpec& spec, const float* x, const float* v, int64_t n, float* q, float* dx) {
  RidgeBackwardBlock</*kTrust=*/false>(spec, x, v, n, q, dx);
}
void RidgeBackwardF64(const QuantizerSpec& spec, const double* x, const double* v, int64_t n, double* q, double* dx) {
  RidgeBackwardBlock</*kTrust=*/false>(spec, x, v, n, q, dx);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(RidgeForwardF32);
HWY_EXPORT(RidgeForwardF64);
HWY_EXPORT(RidgeBackwardF32);
HWY_EXPORT(RidgeBackwardF64);

struct RidgeFunctions {
  static constexpr std::string_view kName = "ridge";
  static BlockForward<float> ForwardF32() { return &HWY_DYNAMIC_DISPATCH(RidgeForwardF32); }
  static BlockForward<double> ForwardF64() { return &HWY_DYNAMIC_DISPATCH(RidgeForwardF64); }
  static BlockBackward<float> BackwardF32() { return &HWY_DYNAMIC_DISPATCH(RidgeBackwardF32); }
  static BlockBackward<double> BackwardF64() { return &HWY_DYNAMIC_DISPATCH(RidgeBackwardF64); }
};

const Estimator& RidgeEstimator() {
  static const BlockwiseEstimator<RidgeFunctions> estimator;
  return estimator;
}

}  // namespace ridgeline
#endif  // HWY_ONCE
