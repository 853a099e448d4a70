// SPDX-License-Identifier: Apache-2.0
// Grids of floating-point, MX, NV and BitMoD blocks: the scale in its format's encoding, and codes on their levels.
// Included by grid-inl.h, after the grid and the statistics that it builds on.
#if defined(RIDGELINE_QUANT_KERNELS_FLOAT_GRID_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_FLOAT_GRID_INL_H_
#undef RIDGELINE_QUANT_KERNELS_FLOAT_GRID_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_FLOAT_GRID_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// q = the level nearest to f, or the grid's extra level where that is nearer still.
template <typename T>
HWY_INLINE T NearestFloatLevel(const Grid<T>& grid, T f) {
  const T magnitude = RoundToLevel(grid.levels, Min(Abs(f), grid.highest));
  const T q = f < T(0) ? -magnitude : magnitude;
  return grid.extra != T(0) && Abs(f - grid.extra) < Abs(f - q) ? grid.extra : q;
}

template <typename T>
HWY_NOINLINE void EncodeFloat(const Grid<T>& grid, const T* HWY_RESTRICT x, int64_t n, T* HWY_RESTRICT q) {
  const Grid<T> local = grid;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) q[i] = NearestFloatLevel(local, x[i] * local.inverse_scale);
}

// E4M3 times the tensor's scale (docs/methods.md#formats). No block's share is below 2^-6, the smallest normal E4M3.
template <typename T>
HWY_INLINE T E4m3Scale(const ResolvedSpec& spec, T ideal) {
  const T largest = static_cast<T>(LargestElement(spec.format));
  const T tensor_scale =
      spec.tensor_max > 0 ? static_cast<T>(spec.tensor_max) / (static_cast<T>(kE4M3.largest) * largest) : T(1);
  const T share = Max(Min(ideal / tensor_scale, static_cast<T>(kE4M3.largest)), static_cast<T>(0x1p-6));
  return RoundToLevel(FloatLevelsOf<T>(kE4M3), share) * tensor_scale;
}

template <typename T>
HWY_INLINE T EncodedScale(const ResolvedSpec& spec, T ideal) {
  if (!(ideal > T(0))) return T(0);
  switch (ScaleEncodingOf(spec.format)) {
    case ScaleEncoding::kPowerOfTwo:
      return PowerOfTwoAtLeast(ideal);
    case ScaleEncoding::kE4m3:
      return E4m3Scale(spec, ideal);
    case ScaleEncoding::kFloat16:
      break;
  }
  return ideal;
}

// A grid about zero whose outermost level, `largest` scales away, is at `extent`.
template <typename T>
HWY_INLINE Grid<T> GridWithExtent(const ResolvedSpec& spec, T extent, T largest) {
  const FloatElement element = FloatElementOf(spec.format);
  const T highest = static_cast<T>(LargestElement(spec.format));
  Grid<T> grid{};
  grid.scale = EncodedScale(spec, extent / largest);
  grid.inverse_scale = InverseOrZero(grid.scale);
  grid.lowest = -highest;
  grid.highest = highest;
  grid.levels = FloatLevelsOf<T>(element);
  grid.half_last_step = element.enabled() ? static_cast<T>(element.last_step() / 2) : T(0.5);
  return grid;
}

template <typename T>
HWY_INLINE T SquaredError(const Grid<T>& grid, const T* HWY_RESTRICT x, int64_t n) {
  const Grid<T> local = grid;
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    const T f = x[i] * local.inverse_scale, error = (NearestFloatLevel(local, f) - f) * local.scale;
    sum += error * error;
  }
  return sum;
}

// The candidate that loses least; the outermost of its levels, on whichever side, is at max |x|.
template <typename T>
HWY_INLINE Grid<T> BitModGrid(const ResolvedSpec& spec, const T* HWY_RESTRICT x, int64_t n, T extent) {
  const BitModLevels levels = BitModLevelsOf(spec.format);
  Grid<T> best{};
  T least = 0;
  for (double extra : {levels.nearer, -levels.nearer, levels.farther, -levels.farther}) {
    const T outermost = Max(Abs(static_cast<T>(extra)), static_cast<T>(LargestElement(spec.format)));
    Grid<T> grid = GridWithExtent(spec, extent, outermost);
    grid.extra = static_cast<T>(extra);
    const T error = SquaredError(grid, x, n);
    if (best.extra != T(0) && !(error < least)) continue;
    best = grid;
    least = error;
  }
  return best;
}

// Without an inverse scale where a number is not finite, which an encoded scale would hide. `rms` is asked for by
// Gaussian grids alone.
template <typename T>
HWY_NOINLINE Grid<T> FloatGrid(const ResolvedSpec& spec, const T* HWY_RESTRICT x, int64_t n, T rms) {
  if (!IsFinite(x, n)) return {};
  if (spec.grid == GridStatistics::kGaussian) {
    const T extent = static_cast<T>(GaussianExtent(spec.format)) * rms;
    return GridWithExtent(spec, extent, static_cast<T>(LargestElement(spec.format)));
  }
  const T extent = MaxAbs(x, n);
  if (IsBitMod(spec.format)) return BitModGrid(spec, x, n, extent);
  return GridWithExtent(spec, extent, static_cast<T>(LargestElement(spec.format)));
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_FLOAT_GRID_INL_H_
