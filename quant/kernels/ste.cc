// SPDX-License-Identifier: Apache-2.0
// Straight-through estimator: x_hat = scale q + offset with the grid's own numbers, gradient passed as it comes.
// With the grid in the graph, x_hat = x + scale delta, so dL/dscale = <v, delta> is what the statistics receive.
#include "quant/kernels/estimator.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/ste.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/blockwise.h"
#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

template <typename T>
HWY_INLINE void SteForwardBlock(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n, T* HWY_RESTRICT q,
                                T* HWY_RESTRICT x_hat) {
  if (!IsFinite(x, n)) return Fill(x_hat, n, T(__builtin_nan("")));
  const Grid<T> grid = MakeGrid(spec, x, n);
  if (grid.inverse_scale == T(0)) return Copy(x, n, x_hat);
  Encode(grid, x, n, q);
  const T scale = grid.scale, offset = grid.offset;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) x_hat[i] = q[i] * scale + offset;
}

template <typename T>
HWY_INLINE void SteBackwardBlock(const QuantizerSpec& spec, const T* HWY_RESTRICT x, const T* HWY_RESTRICT v, int64_t n,
                                 T* HWY_RESTRICT q, T* HWY_RESTRICT dx) {
  for (int64_t i = 0; i < n; ++i) dx[i] = v[i];
  if (spec.grid_gradient == GridGradient::kDetached) return;
  const Grid<T> grid = MakeGrid(spec, x, n);
  if (grid.inverse_scale == T(0)) return;
  Encode(grid, x, n, q);
  T d_scale = 0;
#pragma omp simd reduction(+ : d_scale)
  for (int64_t i = 0; i < n; ++i) d_scale += v[i] * (q[i] - (x[i] - grid.offset) * grid.inverse_scale);
  AddGridGradient(spec, x, n, d_scale, T(0), dx);
}

void SteForwardF32(const QuantizerSpec& spec, const float* x, int64_t n, float* q, float* x_hat) {
  SteForwardBlock(spec, x, n, q, x_hat);
}
void SteForwardF64(const QuantizerSpec& spec, const double* x, int64_t n, double* q, double* x_hat) {
  SteForwardBlock(spec, x, n, q, x_hat);
}
void SteBackwardF32(const QuantizerSpec& spec, const float* x, const float* v, int64_t n, float* q, float* dx) {
  SteBackwardBlock(spec, x, v, n, q, dx);
}
void SteBackwardF64(const QuantizerSpec& spec, const double* x, const double* v, int64_t n, double* q, double* dx) {
  SteBackwardBlock(spec, x, v, n, q, dx);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(SteForwardF32);
HWY_EXPORT(SteForwardF64);
HWY_EXPORT(SteBackwardF32);
HWY_EXPORT(SteBackwardF64);

struct SteFunctions {
  static constexpr std::string_view kName = "ste";
  static BlockForward<float> ForwardF32() { return &HWY_DYNAMIC_DISPATCH(SteForwardF32); }
  static BlockForward<double> ForwardF64() { return &HWY_DYNAMIC_DISPATCH(SteForwardF64); }
  static BlockBackward<float> BackwardF32() { return &HWY_DYNAMIC_DISPATCH(SteBackwardF32); }
  static BlockBackward<double> BackwardF64() { return &HWY_DYNAMIC_DISPATCH(SteBackwardF64); }
};

const Estimator& SteEstimator() {
  static const BlockwiseEstimator<SteFunctions> estimator;
  return estimator;
}

}  // namespace ridgeline
#endif  // HWY_ONCE
