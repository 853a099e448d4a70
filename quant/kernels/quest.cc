// SPDX-License-Identifier: Apache-2.0
// QuEST with a scale for each block (METHODS A7): a linear Gaussian grid, and a straight-through gradient for trusted
// codes only. The scale is never differentiated; the Hadamard rotation is the spec's.
#include "quant/kernels/estimator.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/quest.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/blockwise.h"
#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

template <typename T>
HWY_INLINE void QuestForwardBlock(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n, T* HWY_RESTRICT q,
                                  T* HWY_RESTRICT x_hat) {
  if (!IsFinite(x, n)) return Fill(x_hat, n, T(__builtin_nan("")));
  const Grid<T> grid = MakeGrid(spec, x, n);
  if (grid.inverse_scale == T(0)) return Copy(x, n, x_hat);
  Encode(grid, x, n, q);
  const T scale = grid.scale;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) x_hat[i] = q[i] * scale;
}

template <typename T>
HWY_INLINE void QuestBackwardBlock(const QuantizerSpec& spec, const T* HWY_RESTRICT x, const T* HWY_RESTRICT v,
                                   int64_t n, T* HWY_RESTRICT, T* HWY_RESTRICT dx) {
  const Grid<T> grid = MakeGrid(spec, x, n);
  if (grid.inverse_scale == T(0)) return Copy(v, n, dx);
  const TrustedCodes<T> trusted = TrustedCodesOf(grid, spec.format);
  const T inverse = grid.inverse_scale;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T f = x[i] * inverse;
    dx[i] = f >= trusted.low && f <= trusted.high ? v[i] : T(0);
  }
}

void QuestForwardF32(const QuantizerSpec& spec, const float* x, int64_t n, float* q, float* x_hat) {
  QuestForwardBlock(spec, x, n, q, x_hat);
}
void QuestForwardF64(const QuantizerSpec& spec, const double* x, int64_t n, double* q, double* x_hat) {
  QuestForwardBlock(spec, x, n, q, x_hat);
}
void QuestBackwardF32(const QuantizerSpec& spec, const float* x, const float* v, int64_t n, float* q, float* dx) {
  QuestBackwardBlock(spec, x, v, n, q, dx);
}
void QuestBackwardF64(const QuantizerSpec& spec, const double* x, const double* v, int64_t n, double* q, double* dx) {
  QuestBackwardBlock(spec, x, v, n, q, dx);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(QuestForwardF32);
HWY_EXPORT(QuestForwardF64);
HWY_EXPORT(QuestBackwardF32);
HWY_EXPORT(QuestBackwardF64);

struct QuestFunctions {
  static constexpr std::string_view kName = "quest";
  static BlockForward<float> ForwardF32() { return &HWY_DYNAMIC_DISPATCH(QuestForwardF32); }
  static BlockForward<double> ForwardF64() { return &HWY_DYNAMIC_DISPATCH(QuestForwardF64); }
  static BlockBackward<float> BackwardF32() { return &HWY_DYNAMIC_DISPATCH(QuestBackwardF32); }
  static BlockBackward<double> BackwardF64() { return &HWY_DYNAMIC_DISPATCH(QuestBackwardF64); }
};

const Estimator& QuestEstimator() {
  static const BlockwiseEstimator<QuestFunctions> estimator;
  return estimator;
}

}  // namespace ridgeline
#endif  // HWY_ONCE
