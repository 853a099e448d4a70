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
#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// The regression of a block: x_hat = slope (q - q_mean) + x_mean, both means 0 in the linear scheme.
template <typename T>
struct Regression {
  T slope;
  T q_mean;
  T x_mean;
  T denominator;  // n (Var q + lambda), or n (mean q^2 + lambda)
};

template <typename T>
HWY_INLINE Regression<T> FitRidge(const QuantizerSpec& spec, const T* HWY_RESTRICT x, const T* HWY_RESTRICT q,
                                  int64_t n) {
  const T count = static_cast<T>(n);
  Regression<T> fit{};
  if (spec.scheme == Scheme::kAffine) {
    fit.q_mean = Sum(q, n) / count;
    fit.x_mean = Sum(x, n) / count;
  }
  T xq = 0, qq = 0;
#pragma omp simd reduction(+ : xq, qq)
  for (int64_t i = 0; i < n; ++i) {
    T centred = q[i] - fit.q_mean;
    xq += (x[i] - fit.x_mean) * centred;
    qq += centred * centred;
  }
  fit.denominator = qq + count * static_cast<T>(spec.lambda);
  fit.slope = fit.denominator > T(0) ? xq / fit.denominator : T(0);
  return fit;
}

template <typename T>
HWY_INLINE void RidgeForwardBlock(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n, T* HWY_RESTRICT q,
                                  T* HWY_RESTRICT x_hat) {
  if (!IsFinite(x, n)) return Fill(x_hat, n, T(__builtin_nan("")));
  const Grid<T> grid = MakeGrid(spec, x, n);
  if (grid.inverse_scale == T(0)) {
    for (int64_t i = 0; i < n; ++i) x_hat[i] = x[i];
    return;
  }
  Encode(grid, x, n, q);
  const Regression<T> fit = FitRidge(spec, x, q, n);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) x_hat[i] = (q[i] - fit.q_mean) * fit.slope + fit.x_mean;
}

// With k = <v, qc> / denominator: dL/dq = a (v - mean v) + k (xc - 2 a qc), and x itself receives mean v + k qc
// besides dL/dq f'. Linear: the same without the means.
template <typename T>
HWY_INLINE void RidgeBackwardBlock(const QuantizerSpec& spec, const T* HWY_RESTRICT x, const T* HWY_RESTRICT v,
                                   int64_t n, T* HWY_RESTRICT q, T* HWY_RESTRICT dx) {
  const Grid<T> grid = MakeGrid(spec, x, n);
  if (grid.inverse_scale == T(0)) {
    for (int64_t i = 0; i < n; ++i) dx[i] = v[i];
    return;
  }
  Encode(grid, x, n, q);
  const Regression<T> fit = FitRidge(spec, x, q, n);
  const T v_mean = spec.scheme == Scheme::kAffine ? Sum(v, n) / static_cast<T>(n) : T(0);
  T vq = 0;
#pragma omp simd reduction(+ : vq)
  for (int64_t i = 0; i < n; ++i) vq += v[i] * (q[i] - fit.q_mean);
  const T k = fit.denominator > T(0) ? vq / fit.denominator : T(0);
  const T a = fit.slope, inverse = grid.inverse_scale, offset = grid.offset;
  T d_scale = 0, d_offset = 0;
#pragma omp simd reduction(+ : d_scale, d_offset)
  for (int64_t i = 0; i < n; ++i) {
    T centred = q[i] - fit.q_mean;
    T dq = a * (v[i] - v_mean) + k * ((x[i] - fit.x_mean) - T(2) * a * centred);
    dx[i] = v_mean + k * centred + dq * inverse;
    d_scale -= dq * ((x[i] - offset) * inverse) * inverse;
    d_offset -= dq * inverse;
  }
  if (spec.grid_gradient == GridGradient::kGraph) AddGridGradient(spec, x, n, d_scale, d_offset, dx);
}

void RidgeForwardF32(const QuantizerSpec& spec, const float* x, int64_t n, float* q, float* x_hat) {
  RidgeForwardBlock(spec, x, n, q, x_hat);
}
void RidgeForwardF64(const QuantizerSpec& spec, const double* x, int64_t n, double* q, double* x_hat) {
  RidgeForwardBlock(spec, x, n, q, x_hat);
}
void RidgeBackwardF32(const QuantizerSpec& spec, const float* x, const float* v, int64_t n, float* q, float* dx) {
  RidgeBackwardBlock(spec, x, v, n, q, dx);
}
void RidgeBackwardF64(const QuantizerSpec& spec, const double* x, const double* v, int64_t n, double* q, double* dx) {
  RidgeBackwardBlock(spec, x, v, n, q, dx);
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
