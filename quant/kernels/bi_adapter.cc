// SPDX-License-Identifier: Apache-2.0
// The 1-bit adapter's normalised straight-through estimator (docs/methods.md#bi_adapter): x is normalised, replaced by
// the median of the half of N(0, 1) that it falls into, and rotated back; mean and standard deviation stay in the
// graph.
//   w = (x - mean x) / (d + 1e-5),  d = unbiased standard deviation
//   x_hat = (w + sg(code - w)) d + mean x,  code = +-0.6745
// Backward, with delta = code - w and r = d / (d + 1e-5):
//   dL/dx = r (v - mean v) + mean v + k (x - mean x),
//   k = [ <v, delta> + <v, x - mean x> 1e-5 / (d + 1e-5)^2 ] / ((n - 1) d)
#include <limits>

#include "quant/kernels/kernel_table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/bi_adapter.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/block_estimator.h"
#include "quant/kernels/blockwise-inl.h"
#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

constexpr double kMedianOfHalfNormal = 0.6744897501960817;
constexpr double kDeviationGuard = 1e-5;

template <typename T>
struct Spread {
  T mean;
  T deviation;  // Unbiased; 0 for a block without extent, or with a number that is not finite.
};

template <typename T>
HWY_INLINE Spread<T> SpreadOf(const ResolvedSpec&, const Block<T>& block) {
  const T n = static_cast<T>(block.n);
  const Moments<T> moments = MomentsAbout(/*centred=*/true, block.x, block.n, n);
  // Which are not finite where a number of the block is not.
  const bool has_extent = moments.rms > kSmallestScale<T> && moments.rms < std::numeric_limits<T>::infinity();
  if (block.n < 2 || !has_extent) return {moments.mean, T(0)};
  return {moments.mean, moments.rms * SquareRoot(n / (n - T(1)))};
}

template <typename T>
HWY_INLINE void BiAdapterForward(const ResolvedSpec& spec, const Spread<T>& spread, const Block<T>& block,
                                 T* HWY_RESTRICT x_hat) {
  if (spread.deviation == T(0)) return ReproduceBlock(spec, block, x_hat);
  const T* HWY_RESTRICT x = block.x;
  const T mean = spread.mean;
  const LevelMap<T> map = MapOf(spec, block, static_cast<T>(kMedianOfHalfNormal) * spread.deviation, mean);
#pragma omp simd
  for (int64_t i = 0; i < block.n; ++i) x_hat[i] = map.offset + (x[i] < mean ? -map.scale : map.scale);
}

template <typename T>
HWY_INLINE void BiAdapterBackward(const ResolvedSpec&, const Spread<T>& spread, const Block<T>& block,
                                  const T* HWY_RESTRICT v, T* HWY_RESTRICT dx) {
  const T* HWY_RESTRICT x = block.x;
  const T mean = spread.mean, deviation = spread.deviation, n = static_cast<T>(block.n);
  if (deviation == T(0)) return Copy(v, block.n, dx);
  T sums[3];  // Of v, of v times the sign of its code, and of v (x - mean).
  SumVectors(block.n, sums, [&](auto d, int64_t i, auto& sum) HWY_ATTR {
    const auto gradient = hn::LoadU(d, v + i), from_mean = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean));
    sum[0] = hn::Add(sum[0], gradient);
    sum[1] = hn::Add(sum[1], hn::IfThenElse(hn::Lt(from_mean, hn::Zero(d)), hn::Neg(gradient), gradient));
    sum[2] = hn::MulAdd(gradient, from_mean, sum[2]);
  });
  const T guard = static_cast<T>(kDeviationGuard), inverse = T(1) / (deviation + guard), r = deviation * inverse;
  const T v_normalised = sums[2] * inverse;
  const T d_deviation = static_cast<T>(kMedianOfHalfNormal) * sums[1] - v_normalised + v_normalised * guard * inverse;
  const T of_x = d_deviation / ((n - T(1)) * deviation), base = (T(1) - r) * sums[0] / n;
#pragma omp simd
  for (int64_t i = 0; i < block.n; ++i) dx[i] = r * v[i] + (of_x * (x[i] - mean) + base);
}

RIDGELINE_BLOCK_FUNCTIONS(BiAdapter, SpreadOf, BiAdapterForward, BiAdapterBackward)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
RIDGELINE_BLOCK_ESTIMATOR(BiAdapter)
}  // namespace ridgeline
#endif  // HWY_ONCE
