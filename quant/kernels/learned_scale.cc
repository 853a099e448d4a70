// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/learned_scale.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/learned_scale.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

constexpr double kStretchedReach = 0.99;  // At 1 there would be a fifth level.

// What numbers come to.
template <class D>
struct Leveled {
  hn::Vec<D> level;
  hn::Mask<D> passes;  // Not clamped: the gradient goes on to x.
};

template <class D>
HWY_INLINE hn::Vec<D> Clamped(D d, hn::Vec<D> f, hn::TFromD<D> lowest, hn::TFromD<D> highest) {
  return hn::Min(hn::Max(f, hn::Set(d, lowest)), hn::Set(d, highest));
}

template <LevelKind kKind, typename T>
struct Leveler;

template <typename T>
struct Leveler<LevelKind::kUniform, T> {
  T lowest, highest;
  HWY_INLINE explicit Leveler(const LearnedLevels& levels)
      : lowest(static_cast<T>(levels.lowest)), highest(static_cast<T>(levels.highest)) {}
  template <class D>
  HWY_INLINE Leveled<D> operator()(D d, hn::Vec<D> f) const {
    return {Clamped(d, hn::Round(f), lowest, highest),
            hn::And(hn::Ge(f, hn::Set(d, lowest)), hn::Le(f, hn::Set(d, highest)))};
  }
};

template <typename T>
struct Leveler<LevelKind::kSign, T> {
  HWY_INLINE explicit Leveler(const LearnedLevels&) {}
  template <class D>
  HWY_INLINE Leveled<D> operator()(D d, hn::Vec<D> f) const {
    const auto one = hn::Set(d, T(1));
    return {hn::IfThenElse(hn::Lt(f, hn::Zero(d)), hn::Neg(one), one), hn::Le(hn::Abs(f), one)};
  }
};

template <typename T>
struct Leveler<LevelKind::kStretched, T> {
  T n, inverse_n, shift;
  HWY_INLINE explicit Leveler(const LearnedLevels& levels)
      : n(static_cast<T>(levels.n)), inverse_n(static_cast<T>(1 / levels.n)), shift(static_cast<T>(levels.shift)) {}
  template <class D>
  HWY_INLINE Leveled<D> operator()(D d, hn::Vec<D> f) const {
    const T reach = static_cast<T>(kStretchedReach);
    const auto offset = hn::Set(d, shift), stretched = hn::Mul(Clamped(d, f, -reach, reach), hn::Set(d, n));
    const auto rounded = hn::Add(hn::Round(hn::Sub(stretched, offset)), offset);
    return {hn::Mul(rounded, hn::Set(d, inverse_n)), hn::Le(hn::Abs(f), hn::Set(d, reach))};
  }
};

// 2^floor(log2 a), and 0 for zero and subnormal numbers.
template <class D>
HWY_INLINE hn::Vec<D> PowersOfTwoBelow(D d, hn::Vec<D> a) {
  const hn::RebindToUnsigned<D> bits;
  using Bits = hn::TFromD<decltype(bits)>;
  constexpr Bits kExponent = sizeof(Bits) == 4 ? Bits{0x7F800000u} : static_cast<Bits>(UINT64_C(0x7FF0000000000000));
  return hn::BitCast(d, hn::And(hn::BitCast(bits, a), hn::Set(bits, kExponent)));
}

// Powers of two are found by their exponent bits, those of the root between them by a comparison: |f| is nearest to the
// level whose two midpoints enclose it.
template <typename T>
struct Leveler<LevelKind::kPowersOfRootTwo, T> {
  T smallest;
  HWY_INLINE explicit Leveler(const LearnedLevels& levels)
      : smallest(static_cast<T>(std::exp2((1 - levels.highest) / 2))) {}
  template <class D>
  HWY_INLINE Leveled<D> operator()(D d, hn::Vec<D> f) const {
    const auto one = hn::Set(d, T(1)), half = hn::Set(d, T(0.5)), size = hn::Min(hn::Abs(f), one);
    const auto below_size = PowersOfTwoBelow(d, size), above = hn::Min(hn::Add(below_size, below_size), one);
    const auto middle = hn::Mul(above, hn::Set(d, static_cast<T>(0.70710678118654752))), below = hn::Mul(above, half);
    const auto middle_or_below = hn::IfThenElse(hn::Ge(size, hn::Mul(hn::Add(middle, below), half)), middle, below);
    const auto nearest = hn::IfThenElse(hn::Ge(size, hn::Mul(hn::Add(above, middle), half)), above, middle_or_below);
    const auto is_zero = hn::Lt(size, hn::Set(d, smallest / T(2)));
    const auto level = hn::IfThenZeroElse(is_zero, hn::Max(nearest, hn::Set(d, smallest)));
    return {hn::CopySign(level, f), hn::Le(hn::Abs(f), one)};
  }
};

// x in T or BFloat16.
template <LevelKind kKind, typename T, typename X>
HWY_INLINE void ForwardRow(const LearnedLevels& levels, const X* x, T scale, int64_t n, X* x_hat) {
  const Leveler<kKind, T> leveler(levels);
  const T inverse = T(1) / scale;
  T poison[1];  // 0 * x is NaN where x is not finite.
  SumVectors(n, poison, [&](auto d, int64_t i, auto& sum) HWY_ATTR {
    const auto numbers = LoadAs(d, x + i), f = hn::Mul(numbers, hn::Set(d, inverse));
    sum[0] = hn::MulAdd(hn::Zero(d), numbers, sum[0]);
    StoreAs(hn::MulAdd(leveler(d, f).level, hn::Set(d, scale), hn::Zero(d)), d, x_hat + i);
  });
  if (poison[0] == T(0)) return;
  ForEachVector<T>(n, [&](auto d, int64_t i) HWY_ATTR { StoreAs(hn::NaN(d), d, x_hat + i); });
}

template <LevelKind kKind, typename T, typename X>
HWY_INLINE T BackwardRow(const LearnedLevels& levels, const X* x, const X* v, T scale, int64_t n, X* dx) {
  const Leveler<kKind, T> leveler(levels);
  const T inverse = T(1) / scale;
  T d_scale[1];
  SumVectors(n, d_scale, [&](auto d, int64_t i, auto& sum) HWY_ATTR {
    const auto f = hn::Mul(LoadAs(d, x + i), hn::Set(d, inverse)), gradient = LoadAs(d, v + i);
    const auto leveled = leveler(d, f);
    StoreAs(hn::IfThenElseZero(leveled.passes, gradient), d, dx + i);
    const auto moved = kKind == LevelKind::kSign ? hn::Zero(d) : hn::IfThenElseZero(leveled.passes, f);
    sum[0] = hn::MulAdd(gradient, hn::Sub(leveled.level, moved), sum[0]);
  });
  return d_scale[0];
}

// Calls function.template operator()<kind>().
template <typename Function>
HWY_INLINE void WithKind(LevelKind kind, const Function& function) {
  switch (kind) {
    case LevelKind::kUniform:
      return function.template operator()<LevelKind::kUniform>();
    case LevelKind::kSign:
      return function.template operator()<LevelKind::kSign>();
    case LevelKind::kStretched:
      return function.template operator()<LevelKind::kStretched>();
    case LevelKind::kPowersOfRootTwo:
      return function.template operator()<LevelKind::kPowersOfRootTwo>();
  }
}

template <typename T, typename X>
HWY_INLINE void ForwardRows(const LearnedLevels& levels, const X* x, const T* scale, int64_t rows, int64_t n,
                            X* x_hat) {
  WithKind(levels.kind, [&]<LevelKind kKind>() {
    for (int64_t row = 0; row < rows; ++row) ForwardRow<kKind>(levels, x + row * n, scale[row], n, x_hat + row * n);
  });
}

template <typename T, typename X>
HWY_INLINE void BackwardRows(const LearnedLevels& levels, const X* x, const X* v, const T* scale, int64_t rows,
                             int64_t n, X* dx, T* d_scale) {
  WithKind(levels.kind, [&]<LevelKind kKind>() {
    for (int64_t row = 0; row < rows; ++row)
      d_scale[row] = BackwardRow<kKind>(levels, x + row * n, v + row * n, scale[row], n, dx + row * n);
  });
}

void ForwardF32(const LearnedLevels& levels, const float* x, const float* scale, int64_t rows, int64_t n,
                float* x_hat) {
  ForwardRows(levels, x, scale, rows, n, x_hat);
}
void ForwardF64(const LearnedLevels& levels, const double* x, const double* scale, int64_t rows, int64_t n,
                double* x_hat) {
  ForwardRows(levels, x, scale, rows, n, x_hat);
}
void ForwardBf16(const LearnedLevels& levels, const BFloat16* x, const float* scale, int64_t rows, int64_t n,
                 BFloat16* x_hat) {
  ForwardRows(levels, x, scale, rows, n, x_hat);
}
void BackwardF32(const LearnedLevels& levels, const float* x, const float* v, const float* scale, int64_t rows,
                 int64_t n, float* dx, float* d_scale) {
  BackwardRows(levels, x, v, scale, rows, n, dx, d_scale);
}
void BackwardF64(const LearnedLevels& levels, const double* x, const double* v, const double* scale, int64_t rows,
                 int64_t n, double* dx, double* d_scale) {
  BackwardRows(levels, x, v, scale, rows, n, dx, d_scale);
}
void BackwardBf16(const LearnedLevels& levels, const BFloat16* x, const BFloat16* v, const float* scale, int64_t rows,
                  int64_t n, BFloat16* dx, float* d_scale) {
  BackwardRows(levels, x, v, scale, rows, n, dx, d_scale);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
HWY_EXPORT(ForwardF32);
HWY_EXPORT(ForwardF64);
HWY_EXPORT(ForwardBf16);
HWY_EXPORT(BackwardF32);
HWY_EXPORT(BackwardF64);
HWY_EXPORT(BackwardBf16);

void LearnedScaleForward(const LearnedLevels& levels, const float* x, const float* scale, int64_t rows,
                         int64_t features, float* x_hat) {
  HWY_DYNAMIC_DISPATCH(ForwardF32)(levels, x, scale, rows, features, x_hat);
}
void LearnedScaleForward(const LearnedLevels& levels, const double* x, const double* scale, int64_t rows,
                         int64_t features, double* x_hat) {
  HWY_DYNAMIC_DISPATCH(ForwardF64)(levels, x, scale, rows, features, x_hat);
}
void LearnedScaleForward(const LearnedLevels& levels, const BFloat16* x, const float* scale, int64_t rows,
                         int64_t features, BFloat16* x_hat) {
  HWY_DYNAMIC_DISPATCH(ForwardBf16)(levels, x, scale, rows, features, x_hat);
}
void LearnedScaleBackward(const LearnedLevels& levels, const float* x, const float* v, const float* scale, int64_t rows,
                          int64_t features, float* dx, float* d_scale) {
  HWY_DYNAMIC_DISPATCH(BackwardF32)(levels, x, v, scale, rows, features, dx, d_scale);
}
void LearnedScaleBackward(const LearnedLevels& levels, const double* x, const double* v, const double* scale,
                          int64_t rows, int64_t features, double* dx, double* d_scale) {
  HWY_DYNAMIC_DISPATCH(BackwardF64)(levels, x, v, scale, rows, features, dx, d_scale);
}
void LearnedScaleBackward(const LearnedLevels& levels, const BFloat16* x, const BFloat16* v, const float* scale,
                          int64_t rows, int64_t features, BFloat16* dx, float* d_scale) {
  HWY_DYNAMIC_DISPATCH(BackwardBf16)(levels, x, v, scale, rows, features, dx, d_scale);
}

}  // namespace ridgeline
#endif  // HWY_ONCE
