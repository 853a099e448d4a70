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

// f(x) = (x - offset) * inverse_scale; the code is the nearest level to f(x). Levels are one apart, from lowest to
// highest, and `shift` off the integers.
template <typename T>
struct Grid {
  T scale;
  T inverse_scale;  // 0 for a block without extent.
  T offset;         // 0 in the linear scheme.
  T lowest;
  T highest;
  T shift;
  bool is_sign;     // Linear 1 bit: the code is the sign of x, and sign(0) = +1.
};

template <typename T>
HWY_INLINE T InverseOrZero(T scale) { return scale > kSmallestScale<T> ? T(1) / scale : T(0); }

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

// int1: mean |x| times the sign. ternary: mean |x|. intB: 2^B levels in symmetry about zero, half-integers, the outermost
// at max |x|.
template <typename T>
HWY_INLINE Grid<T> LinearGrid(const T* HWY_RESTRICT x, int64_t n, Format format) {
  if (format == Format::kInt1 || format == Format::kTernary) {
    T scale = MeanAbs(x, n);
    return {scale, InverseOrZero(scale), T(0), T(-1), T(1), T(0), format == Format::kInt1};
  }
  T highest = static_cast<T>(1 << (IntegerBits(format) - 1)) - T(0.5);
  T scale = MaxAbs(x, n) / highest;
  return {scale, InverseOrZero(scale), T(0), -highest, highest, T(0.5), false};
}

template <typename T>
HWY_INLINE Grid<T> MakeGrid(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n) {
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
  const T offset = grid.offset, inverse = grid.inverse_scale, lowest = grid.lowest, highest = grid.highest, shift = grid.shift;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i)
    q[i] = Min(Max(RoundHalfToEven((x[i] - offset) * inverse - shift) + shift, lowest), highest);
}

template <typename T>
HWY_INLINE T Sum(const T* HWY_RESTRICT x, int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}

template <typename T>
HWY_INLINE T Dot(const T* HWY_RESTRICT x, const T* HWY_RESTRICT y, int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
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

// Adds the gradient through the grid's statistics, given dL/dscale and dL/doffset. min, max and max |x| pass it to the
// first element that attains them; mean |x| passes its share to each element.
template <typename T>
HWY_INLINE void AddGridGradient(const QuantizerSpec& spec, const T* HWY_RESTRICT x, int64_t n, T d_scale, T d_offset,
                                T* HWY_RESTRICT dx) {
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
    T share = d_scale / (static_cast<T>(1 << (IntegerBits(spec.format) - 1)) - T(0.5));
    dx[at_largest] += x[at_largest] < T(0) ? -share : share;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_GRID_INL_H_
