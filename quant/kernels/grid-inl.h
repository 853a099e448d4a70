// SPDX-License-Identifier: Apache-2.0
// Block math that every estimator shares: the grid of a block, its codes, and the gradient through the grid's
// statistics. Compiled once for each instruction set; include only from files that use foreach_target.
#if defined(RIDGELINE_QUANT_KERNELS_GRID_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_GRID_INL_H_
#undef RIDGELINE_QUANT_KERNELS_GRID_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_GRID_INL_H_
#endif

#include <hwy/highway.h>

#include "quant/kernels/float_round-inl.h"
#include "quant/spec/quant_spec.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// A grid narrower than this has no extent: its block is reproduced as it is.
template <typename T>
constexpr T kSmallestScale = sizeof(T) == 4 ? T(1e-30) : T(1e-150);

template <typename T>
HWY_INLINE T Min(T a, T b) { return a < b ? a : b; }
template <typename T>
HWY_INLINE T Max(T a, T b) { return a > b ? a : b; }
HWY_INLINE float RoundHalfToEven(float x) { return __builtin_rintf(x); }
HWY_INLINE double RoundHalfToEven(double x) { return __builtin_rint(x); }
HWY_INLINE float Abs(float x) { return __builtin_fabsf(x); }
HWY_INLINE double Abs(double x) { return __builtin_fabs(x); }
HWY_INLINE float SquareRoot(float x) { return __builtin_sqrtf(x); }
HWY_INLINE double SquareRoot(double x) { return __builtin_sqrt(x); }

// f(x) = (x - offset) * inverse_scale; the code is the nearest level to f(x). Levels are one apart, from lowest to
// highest, and `shift` off the integers; those of floating-point formats are in `levels` and `extra` (float_grid-inl.h).
template <typename T>
struct Grid {
  T scale;
  T inverse_scale;  // 0 for a block without extent.
  T offset;         // 0 in the linear scheme.
  T lowest;
  T highest;
  T shift;
  bool is_sign;     // Linear 1 bit: the code is the sign of x, and sign(0) = +1.
  FloatLevels<T> levels = {};
  T extra = 0;           // BitMoD's own level of this block; 0 for none.
  T half_last_step = T(0.5);
};

template <typename T>
HWY_INLINE T InverseOrZero(T scale) { return scale > kSmallestScale<T> ? T(1) / scale : T(0); }

template <typename T>
HWY_INLINE T Sum(const T* HWY_RESTRICT x, int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}

template <typename T>
HWY_INLINE T MeanAbs(const T* HWY_RESTRICT x, int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += Abs(x[i]);
  return sum / static_cast<T>(n);
}

template <typename T>
HWY_INLINE T MaxAbs(const T* HWY_RESTRICT x, int64_t n) {
  T largest = 0;
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < n; ++i) largest = Max(largest, Abs(x[i]));
  return largest;
}

// Levels 0 .. 2^bits - 1 from the smallest number to the largest.
template <typename T>
HWY_INLINE Grid<T> AffineGrid(const T* HWY_RESTRICT x, int64_t n, int bits) {
  T smallest = x[0], largest = x[0];
#pragma omp simd reduction(min : smallest) reduction(max : largest)
  for (int64_t i = 0; i < n; ++i) {
    smallest = Min(smallest, x[i]);
    largest = Max(largest, x[i]);
  }
  T levels = static_cast<T>((1 << bits) - 1);
  T scale = (largest - smallest) / levels;
  return {scale, InverseOrZero(scale), smallest, T(0), levels, T(0), false};
}

template <typename T>
HWY_INLINE T LinearHighest(Format format) {
  if (format == Format::kInt1 || format == Format::kTernary) return T(1);
  if (HasOwnElement(format)) return static_cast<T>(LargestElement(format));
  return static_cast<T>(1 << (IntegerBits(format) - 1)) - T(0.5);
}

// int1: mean |x| times the sign. ternary: mean |x|. intB: 2^B levels in symmetry about zero, half-integers, the outermost
// at max |x|.
template <typename T>
HWY_INLINE Grid<T> LinearGrid(const T* HWY_RESTRICT x, int64_t n, Format format) {
  if (format == Format::kInt1 || format == Format::kTernary) {
    T scale = MeanAbs(x, n);
    return {scale, InverseOrZero(scale), T(0), T(-1), T(1), T(0), format == Format::kInt1};
  }
  T highest = LinearHighest<T>(format);
  T scale = MaxAbs(x, n) / highest;
  return {scale, InverseOrZero(scale), T(0), -highest, highest, T(0.5), false};
}

template <typename T>
HWY_INLINE T SumOfSquares(const T* HWY_RESTRICT x, int64_t n, T mean, T unit) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    T scaled = (x[i] - mean) * unit;
    sum += scaled * scaled;
  }
  return sum;
}

// The mean (0 in the linear scheme), and the RMS about it.
template <typename T>
struct Moments {
  T mean;
  T rms;
};

template <typename T>
HWY_INLINE Moments<T> MomentsOf(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n) {
  const T count = static_cast<T>(n);
  const T mean = spec.scheme == Scheme::kAffine ? Sum(x, n) / count : T(0);
  const T sum = SumOfSquares(x, n, mean, T(1));
  if (sum > kSmallestScale<T> && sum < T(1) / kSmallestScale<T>) return {mean, SquareRoot(sum / count)};
  T largest = 0;  // Squares leave the range of T: measure in units of the largest number.
  for (int64_t i = 0; i < n; ++i) largest = Max(largest, Abs(x[i] - mean));
  return {mean, SquareRoot(SumOfSquares(x, n, mean, InverseOrZero(largest)) / count) * largest};
}

// Least mean square error for Gaussian numbers: the outermost levels at +-GaussianExtent RMS.
template <typename T>
HWY_INLINE Grid<T> GaussianGrid(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n) {
  const Moments<T> moments = MomentsOf(spec, x, n);
  const T extent = static_cast<T>(GaussianExtent(spec.format)) * moments.rms;
  if (spec.scheme == Scheme::kAffine) {
    const T levels = static_cast<T>((1 << IntegerBits(spec.format)) - 1);
    const T scale = T(2) * extent / levels;
    return {scale, InverseOrZero(scale), moments.mean - extent, T(0), levels, T(0), false};
  }
  const bool is_integer = spec.format == Format::kInt1 || spec.format == Format::kTernary;
  const T highest = LinearHighest<T>(spec.format), scale = extent / highest;
  const T shift = is_integer ? T(0) : T(0.5);
  return {scale, InverseOrZero(scale), T(0), -highest, highest, shift, spec.format == Format::kInt1};
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#include "quant/kernels/float_grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

template <typename T>
HWY_INLINE Grid<T> MakeGrid(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n) {
  if (HasOwnElement(spec.format)) return FloatGrid(spec, x, n);
  if (spec.grid == GridStatistics::kGaussian) return GaussianGrid(spec, x, n);
  if (spec.scheme == Scheme::kAffine) return AffineGrid(x, n, IntegerBits(spec.format));
  return LinearGrid(x, n, spec.format);
}

// q[i] = code of x[i], a level held in T.
template <typename T>
HWY_INLINE void Encode(const Grid<T>& grid, const T* HWY_RESTRICT x, int64_t n, T* HWY_RESTRICT q) {
  if (grid.is_sign) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) q[i] = x[i] < T(0) ? T(-1) : T(1);
    return;
  }
  if (grid.levels.magnet != T(0)) return EncodeFloat(grid, x, n, q);
  const T offset = grid.offset, inverse = grid.inverse_scale, shift = grid.shift;
  const T lowest = grid.lowest, highest = grid.highest;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i)
    q[i] = Min(Max(RoundHalfToEven((x[i] - offset) * inverse - shift) + shift, lowest), highest);
}

// True unless a number of the block is NaN or infinite.
template <typename T>
HWY_INLINE bool IsFinite(const T* HWY_RESTRICT x, int64_t n) {
  T sum = 0;  // 0 * x is NaN exactly for NaN and infinities.
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += T(0) * x[i];
  return sum == T(0);
}

template <typename T>
HWY_INLINE void Fill(T* HWY_RESTRICT out, int64_t n, T value) {
  for (int64_t i = 0; i < n; ++i) out[i] = value;
}

template <typename T>
HWY_INLINE void Copy(const T* HWY_RESTRICT from, int64_t n, T* HWY_RESTRICT to) {
  for (int64_t i = 0; i < n; ++i) to[i] = from[i];
}

// An element is trusted where f lies between low and high. Above one bit that is where the rounding error is at most
// half a step, which is to say where the grid does not clip; at one bit, where that would trust out to twice the level,
// it is 1.30 times the level (METHODS A7), and three in ten of a Gaussian block are beyond.
template <typename T>
struct TrustedCodes {
  T low;
  T high;
};

template <typename T>
HWY_INLINE TrustedCodes<T> TrustedCodesOf(const Grid<T>& grid, Format format) {
  const T centre = (grid.highest + grid.lowest) / T(2), reach = (grid.highest - grid.lowest) / T(2);
  const T trusted = format == Format::kInt1 ? T(1.30) * reach : reach + grid.half_last_step;
  return {centre - trusted, centre + trusted};
}

// d mean: its share to each element. d RMS: in proportion to the distance from the mean.
template <typename T>
HWY_INLINE void AddGaussianGridGradient(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n, T d_scale,
                                        T d_offset, T* HWY_RESTRICT dx) {
  const Moments<T> moments = MomentsOf(spec, x, n);
  const bool affine = spec.scheme == Scheme::kAffine;
  const T levels = affine ? static_cast<T>((1 << IntegerBits(spec.format)) - 1) : T(0);
  const T d_extent = affine ? T(2) / levels * d_scale - d_offset : d_scale / LinearHighest<T>(spec.format);
  const T d_rms = static_cast<T>(GaussianExtent(spec.format)) * d_extent / static_cast<T>(n);
  const T d_mean = affine ? d_offset / static_cast<T>(n) : T(0);
  const T inverse = InverseOrZero(moments.rms);
  for (int64_t i = 0; i < n; ++i) dx[i] += d_mean + d_rms * ((x[i] - moments.mean) * inverse);
}

// Adds the gradient through the grid's statistics, given dL/dscale and dL/doffset. min, max and max |x| pass it to the
// first element that attains them; mean |x| passes its share to each element.
template <typename T>
HWY_INLINE void AddGridGradient(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n, T d_scale, T d_offset,
                                T* HWY_RESTRICT dx) {
  if (spec.grid == GridStatistics::kGaussian) return AddGaussianGridGradient(spec, x, n, d_scale, d_offset, dx);
  if (spec.scheme == Scheme::kAffine) {
    int64_t at_smallest = 0, at_largest = 0;
    for (int64_t i = 1; i < n; ++i) {
      if (x[i] < x[at_smallest]) at_smallest = i;
      if (x[i] > x[at_largest]) at_largest = i;
    }
    T share = d_scale / static_cast<T>((1 << IntegerBits(spec.format)) - 1);
    dx[at_largest] += share;
    dx[at_smallest] += d_offset - share;
  } else if (spec.format == Format::kInt1 || spec.format == Format::kTernary) {
    T share = d_scale / static_cast<T>(n);
    for (int64_t i = 0; i < n; ++i) dx[i] += x[i] > T(0) ? share : x[i] < T(0) ? -share : T(0);
  } else {
    int64_t at_largest = 0;
    for (int64_t i = 1; i < n; ++i)
      if (Abs(x[i]) > Abs(x[at_largest])) at_largest = i;
    T share = d_scale / LinearHighest<T>(spec.format);
    dx[at_largest] += x[at_largest] < T(0) ? -share : share;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_GRID_INL_H_
