// SPDX-License-Identifier: Apache-2.0
// The gradient through the statistics that set a block's grid, where they stay in the graph. Compiled once for each
// instruction set; include only from files that use foreach_target.
#if defined(RIDGELINE_QUANT_KERNELS_GRID_GRADIENT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_GRID_GRADIENT_INL_H_
#undef RIDGELINE_QUANT_KERNELS_GRID_GRADIENT_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_GRID_GRADIENT_INL_H_
#endif

#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// dL/dscale and dL/doffset of a block's grid.
template <typename T>
struct GridGradients {
  T scale;
  T offset;
};

// d mean: its share to each element. d RMS: in proportion to the distance from the mean.
template <typename T>
HWY_INLINE void AddGaussianGridGradient(const ResolvedSpec& spec, const Block<T>& block, GridGradients<T> d, T* dx) {
  const Moments<T> moments = MomentsOf(spec, block);
  const bool affine = spec.scheme == Scheme::kAffine;
  const T levels = affine ? AffineHighest<T>(IntegerBits(spec.format)) : T(0);
  const T d_extent = affine ? T(2) / levels * d.scale - d.offset : d.scale / LinearHighest<T>(spec.format);
  const T d_rms = static_cast<T>(GaussianExtent(spec.format)) * d_extent / block.kept_count;
  const T d_mean = affine ? d.offset / block.kept_count : T(0);
  const T factor = d_rms * InverseOrZero(moments.rms), mean = moments.mean;
  ForEachVector<T>(block.n, [&](auto tag, int64_t i) HWY_ATTR {
    const auto distance = hn::Sub(hn::LoadU(tag, block.x_kept + i), hn::Set(tag, mean));
    const auto sum = hn::Add(hn::LoadU(tag, dx + i), hn::Set(tag, d_mean));
    hn::StoreU(hn::MulAdd(distance, hn::Set(tag, factor), sum), tag, dx + i);
  });
}

template <typename T>
HWY_INLINE void AddMeanAbsGradient(const Block<T>& block, T d_mean, T* dx) {
  const T share = d_mean / block.kept_count;
  for (int64_t i = 0; i < block.n; ++i)
    dx[i] += block.x_kept[i] > T(0) ? share : block.x_kept[i] < T(0) ? -share : T(0);
}

template <typename T>
HWY_INLINE void AddMinMaxGradient(const ResolvedSpec& spec, const Block<T>& block, GridGradients<T> d, T* dx) {
  const T* x = block.x_kept;
  int64_t at_smallest = 0, at_largest = 0;
  for (int64_t i = 1; i < block.n; ++i) {
    if (x[i] < x[at_smallest]) at_smallest = i;
    if (x[i] > x[at_largest]) at_largest = i;
  }
  const T share = d.scale / AffineHighest<T>(IntegerBits(spec.format));
  dx[at_largest] += share;
  dx[at_smallest] += d.offset - share;
}

template <typename T>
HWY_INLINE void AddMaxAbsGradient(const ResolvedSpec& spec, const Block<T>& block, T d_scale, T* dx) {
  const T* x = block.x_kept;
  int64_t at_largest = 0;
  for (int64_t i = 1; i < block.n; ++i)
    if (Abs(x[i]) > Abs(x[at_largest])) at_largest = i;
  const T share = d_scale / LinearHighest<T>(spec.format);
  dx[at_largest] += x[at_largest] < T(0) ? -share : share;
}

// min, max and max |x| pass it to the first element that attains them; mean |x| passes its share to each kept element.
template <typename T>
HWY_NOINLINE void AddGridGradient(const ResolvedSpec& spec, const Block<T>& block, GridGradients<T> d, T* dx) {
  if (spec.grid == GridStatistics::kGaussian) return AddGaussianGridGradient(spec, block, d, dx);
  if (spec.scheme == Scheme::kAffine) return AddMinMaxGradient(spec, block, d, dx);
  if (spec.format == Format::kInt1 || spec.format == Format::kTernary) return AddMeanAbsGradient(block, d.scale, dx);
  AddMaxAbsGradient(spec, block, d.scale, dx);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_GRID_GRADIENT_INL_H_
