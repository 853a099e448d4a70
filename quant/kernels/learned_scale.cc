// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/learned_scale.h"

#include <cmath>
#include <limits>

#include "fmt/format.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/learned_scale.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

constexpr double kStretchedReach = 0.99;  // At 1 there would be a fifth level.

// What one number comes to.
template <typename T>
struct Leveled {
  T level;
  bool passes;  // Not clamped: the gradient goes on to x.
};

template <LevelKind kKind, typename T>
struct Leveler;

template <typename T>
struct Leveler<LevelKind::kUniform, T> {
  T lowest, highest;
  explicit Leveler(const LearnedLevels& levels)
      : lowest(static_cast<T>(levels.lowest)), highest(static_cast<T>(levels.highest)) {}
  HWY_INLINE Leveled<T> operator()(T f) const {
    return {Min(Max(RoundHalfToEven(f), lowest), highest), f >= lowest && f <= highest};
  }
};

template <typename T>
struct Leveler<LevelKind::kSign, T> {
  explicit Leveler(const LearnedLevels&) {}
  HWY_INLINE Leveled<T> operator()(T f) const { return {f < T(0) ? T(-1) : T(1), Abs(f) <= T(1)}; }
};

template <typename T>
struct Leveler<LevelKind::kStretched, T> {
  T n, inverse_n, shift;
  explicit Leveler(const LearnedLevels& levels)
      : n(static_cast<T>(levels.n)), inverse_n(static_cast<T>(1 / levels.n)), shift(static_cast<T>(levels.shift)) {}
  HWY_INLINE Leveled<T> operator()(T f) const {
    const T reach = static_cast<T>(kStretchedReach), clamped = Min(Max(f, -reach), reach);
    return {(RoundHalfToEven(clamped * n - shift) + shift) * inverse_n, Abs(f) <= reach};
  }
};

// Powers of two are found by their exponent bits, those of the root between them by a comparison: |f| is nearest to the
// level whose two midpoints enclose it.
template <typename T>
struct Leveler<LevelKind::kPowersOfRootTwo, T> {
  T smallest;
  explicit Leveler(const LearnedLevels& levels) : smallest(static_cast<T>(std::exp2((1 - levels.highest) / 2))) {}
  HWY_INLINE Leveled<T> operator()(T f) const {
    const T root_half = static_cast<T>(0.70710678118654752), size = Min(Abs(f), T(1));
    const T above = T(2) * PowerOfTwoBelow(size) < T(1) ? T(2) * PowerOfTwoBelow(size) : T(1);
    const T middle = above * root_half, below = above / T(2);
    const T nearest = size >= (above + middle) / T(2) ? above : size >= (middle + below) / T(2) ? middle : below;
    const T level = size < smallest / T(2) ? T(0) : Max(nearest, smallest);
    return {f < T(0) ? -level : level, Abs(f) <= T(1)};
  }
};

template <LevelKind kKind, typename T>
HWY_INLINE void ForwardRow(const LearnedLevels& levels, const T* HWY_RESTRICT x, T scale, int64_t n,
                           T* HWY_RESTRICT x_hat) {
  const Leveler<kKind, T> leveler(levels);
  const T inverse = T(1) / scale;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) x_hat[i] = leveler(x[i] * inverse).level * scale;
}

template <LevelKind kKind, typename T>
HWY_INLINE T BackwardRow(const LearnedLevels& levels, const T* HWY_RESTRICT x, const T* HWY_RESTRICT v, T scale,
                         int64_t n, T* HWY_RESTRICT dx) {
  const Leveler<kKind, T> leveler(levels);
  const T inverse = T(1) / scale;
  T d_scale = 0;
#pragma omp simd reduction(+ : d_scale)
  for (int64_t i = 0; i < n; ++i) {
    const T f = x[i] * inverse;
    const Leveled<T> leveled = leveler(f);
    dx[i] = leveled.passes ? v[i] : T(0);
    const T moved = leveled.passes && kKind != LevelKind::kSign ? f : T(0);
    d_scale += v[i] * (leveled.level - moved);
  }
  return d_scale;
}

// Calls function.template operator()<kind>().
template <typename Function>
HWY_INLINE void WithKind(LevelKind kind, const Function& function) {
  switch (kind) {
    case LevelKind::kUniform: return function.template operator()<LevelKind::kUniform>();
    case LevelKind::kSign: return function.template operator()<LevelKind::kSign>();
    case LevelKind::kStretched: return function.template operator()<LevelKind::kStretched>();
    case LevelKind::kPowersOfRootTwo: return function.template operator()<LevelKind::kPowersOfRootTwo>();
  }
}

template <typename T>
HWY_INLINE void ForwardRows(const LearnedLevels& levels, const T* x, const T* scale, int64_t rows, int64_t n, T* x_hat) {
  WithKind(levels.kind, [&]<LevelKind kKind>() {
    for (int64_t row = 0; row < rows; ++row) {
      const T* from = x + row * n;
      if (IsFinite(from, n)) ForwardRow<kKind>(levels, from, scale[row], n, x_hat + row * n);
      else Fill(x_hat + row * n, n, T(__builtin_nan("")));
    }
  });
}

template <typename T>
HWY_INLINE void BackwardRows(const LearnedLevels& levels, const T* x, const T* v, const T* scale, int64_t rows,
                             int64_t n, T* dx, T* d_scale) {
  WithKind(levels.kind, [&]<LevelKind kKind>() {
    for (int64_t row = 0; row < rows; ++row)
      d_scale[row] = BackwardRow<kKind>(levels, x + row * n, v + row * n, scale[row], n, dx + row * n);
  });
}

void LearnedForwardF32(const LearnedLevels& levels, const float* x, const float* scale, int64_t rows, int64_t n,
                       float* x_hat) {
  ForwardRows(levels, x, scale, rows, n, x_hat);
}
void LearnedForwardF64(const LearnedLevels& levels, const double* x, const double* scale, int64_t rows, int64_t n,
                       double* x_hat) {
  ForwardRows(levels, x, scale, rows, n, x_hat);
}
void LearnedBackwardF32(const LearnedLevels& levels, const float* x, const float* v, const float* scale, int64_t rows,
                        int64_t n, float* dx, float* d_scale) {
  BackwardRows(levels, x, v, scale, rows, n, dx, d_scale);
}
void LearnedBackwardF64(const LearnedLevels& levels, const double* x, const double* v, const double* scale,
                        int64_t rows, int64_t n, double* dx, double* d_scale) {
  BackwardRows(levels, x, v, scale, rows, n, dx, d_scale);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
namespace {

LearnedLevels UniformLevels(int bits) {
  const double half = std::exp2(bits - 1);
  return {.kind = LevelKind::kUniform, .lowest = -half, .highest = half - 1, .gradient_q = half - 1};
}

LearnedLevels SignLevels() { return {.kind = LevelKind::kSign, .lowest = -1, .highest = 1}; }

bool IsIntegerBetween(Format format, Format first, Format last) { return format >= first && format <= last; }

absl::StatusOr<LearnedLevels> LsqLevels(Format format) {
  if (format == Format::kInt1) return SignLevels();
  if (format == Format::kTernary) return LearnedLevels{.kind = LevelKind::kUniform, .lowest = -1, .highest = 1};
  if (IsIntegerBetween(format, Format::kInt2, Format::kInt8)) return UniformLevels(IntegerBits(format));
  return absl::InvalidArgumentError(
      fmt::format("estimator lsq has no format {}: use int1 to int8 or ternary", FormatName(format)));
}

absl::StatusOr<LearnedLevels> ParetoqLevels(Format format) {
  if (format == Format::kInt1) return SignLevels();
  if (format == Format::kTernary)
    return LearnedLevels{.kind = LevelKind::kStretched, .lowest = -1, .highest = 1, .n = 1.5, .shift = 0};
  if (format == Format::kInt2)
    return LearnedLevels{.kind = LevelKind::kStretched, .lowest = -1, .highest = 1, .n = 2, .shift = 0.5};
  if (IsIntegerBetween(format, Format::kInt3, Format::kInt4)) return UniformLevels(IntegerBits(format));
  return absl::InvalidArgumentError(
      fmt::format("estimator paretoq has no format {}: use int1, ternary, int2, int3 or int4", FormatName(format)));
}

absl::StatusOr<LearnedLevels> PostLevels(Format format) {
  if (IsIntegerBetween(format, Format::kInt2, Format::kInt8)) {
    const double powers = std::exp2(IntegerBits(format) - 1) - 1;
    return LearnedLevels{.kind = LevelKind::kPowersOfRootTwo, .lowest = -powers, .highest = powers};
  }
  return absl::InvalidArgumentError(fmt::format("estimator post has no format {}: use int2 to int8", FormatName(format)));
}

}  // namespace

absl::StatusOr<LearnedLevels> LearnedLevelsOf(const QuantizerSpec& spec) {
  if (spec.estimator == "lsq" || spec.estimator == "asq") return LsqLevels(spec.format);
  if (spec.estimator == "paretoq") return ParetoqLevels(spec.format);
  if (spec.estimator == "post") return PostLevels(spec.format);
  return absl::InvalidArgumentError(
      fmt::format("estimator {} learns no scale: use lsq, paretoq, post or asq", spec.estimator));
}

HWY_EXPORT(LearnedForwardF32);
HWY_EXPORT(LearnedForwardF64);
HWY_EXPORT(LearnedBackwardF32);
HWY_EXPORT(LearnedBackwardF64);

void LearnedScaleForward(const LearnedLevels& levels, const float* x, const float* scale, int64_t rows,
                         int64_t features, float* x_hat) {
  HWY_DYNAMIC_DISPATCH(LearnedForwardF32)(levels, x, scale, rows, features, x_hat);
}
void LearnedScaleForward(const LearnedLevels& levels, const double* x, const double* scale, int64_t rows,
                         int64_t features, double* x_hat) {
  HWY_DYNAMIC_DISPATCH(LearnedForwardF64)(levels, x, scale, rows, features, x_hat);
}
void LearnedScaleBackward(const LearnedLevels& levels, const float* x, const float* v, const float* scale, int64_t rows,
                          int64_t features, float* dx, float* d_scale) {
  HWY_DYNAMIC_DISPATCH(LearnedBackwardF32)(levels, x, v, scale, rows, features, dx, d_scale);
}
void LearnedScaleBackward(const LearnedLevels& levels, const double* x, const double* v, const double* scale,
                          int64_t rows, int64_t features, double* dx, double* d_scale) {
  HWY_DYNAMIC_DISPATCH(LearnedBackwardF64)(levels, x, v, scale, rows, features, dx, d_scale);
}

}  // namespace ridgeline
#endif  // HWY_ONCE
