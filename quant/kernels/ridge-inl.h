// SPDX-License-Identifier: Apache-2.0
// The ridge regression of a block onto its codes, and its gradient: what ridge and ridge_trust share. Compiled once for
// each instruction set; include only from files that use foreach_target.
#if defined(RIDGELINE_QUANT_KERNELS_RIDGE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_RIDGE_INL_H_
#undef RIDGELINE_QUANT_KERNELS_RIDGE_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_RIDGE_INL_H_
#endif

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
  if (grid.inverse_scale == T(0)) return Copy(x, n, x_hat);
  Encode(grid, x, n, q);
  const Regression<T> fit = FitRidge(spec, x, q, n);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) x_hat[i] = (q[i] - fit.q_mean) * fit.slope + fit.x_mean;
}

// With k = <v, qc> / denominator: dL/dq = a (v - mean v) + k (xc - 2 a qc), and x itself receives mean v + k qc
// besides dL/dq f'. Linear: the same without the means. f' = 1 / scale, with kTrust only for trusted codes and else 0:
// the whole grid value of an untrusted element counts as noise.
template <bool kTrust, typename T>
HWY_INLINE void RidgeBackwardBlock(const QuantizerSpec& spec, const T* HWY_RESTRICT x, const T* HWY_RESTRICT v,
                                   int64_t n, T* HWY_RESTRICT q, T* HWY_RESTRICT dx) {
  const Grid<T> grid = MakeGrid(spec, x, n);
  if (grid.inverse_scale == T(0)) return Copy(v, n, dx);
  Encode(grid, x, n, q);
  const Regression<T> fit = FitRidge(spec, x, q, n);
  const T v_mean = spec.scheme == Scheme::kAffine ? Sum(v, n) / static_cast<T>(n) : T(0);
  T vq = 0;
#pragma omp simd reduction(+ : vq)
  for (int64_t i = 0; i < n; ++i) vq += v[i] * (q[i] - fit.q_mean);
  const T k = fit.denominator > T(0) ? vq / fit.denominator : T(0);
  const T a = fit.slope, inverse = grid.inverse_scale, offset = grid.offset;
  const TrustedCodes<T> trusted = TrustedCodesOf(grid, spec.format);
  T d_scale = 0, d_offset = 0;
#pragma omp simd reduction(+ : d_scale, d_offset)
  for (int64_t i = 0; i < n; ++i) {
    T centred = q[i] - fit.q_mean;
    T dq = a * (v[i] - v_mean) + k * ((x[i] - fit.x_mean) - T(2) * a * centred);
    const T f = (x[i] - offset) * inverse;
    if constexpr (kTrust) dq = f >= trusted.low && f <= trusted.high ? dq : T(0);
    dx[i] = v_mean + k * centred + dq * inverse;
    d_scale -= dq * f * inverse;
    d_offset -= dq * inverse;
  }
  if (spec.grid_gradient == GridGradient::kGraph) AddGridGradient(spec, x, n, d_scale, d_offset, dx);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_RIDGE_INL_H_
