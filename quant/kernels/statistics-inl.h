// SPDX-License-Identifier: Apache-2.0
// What a block's grid is made from: its extent, its mean size, its moments. One pass each. Compiled once for each
// instruction set; include only from files that use foreach_target.
#if defined(RIDGELINE_QUANT_KERNELS_STATISTICS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_STATISTICS_INL_H_
#undef RIDGELINE_QUANT_KERNELS_STATISTICS_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_STATISTICS_INL_H_
#endif

#include "quant/kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// A scale is told apart from nothing, and from infinity, between these; outside its block is reproduced as it is.
template <typename T>
constexpr T kSmallestScale = sizeof(T) == 4 ? T(1e-30) : T(1e-150);
template <typename T>
constexpr T kLargestScale = sizeof(T) == 4 ? T(1e30) : T(1e150);

template <typename T>
HWY_INLINE T Min(T a, T b) {
  return a < b ? a : b;
}
template <typename T>
HWY_INLINE T Max(T a, T b) {
  return a > b ? a : b;
}
HWY_INLINE float Abs(float x) { return __builtin_fabsf(x); }
HWY_INLINE double Abs(double x) { return __builtin_fabs(x); }
HWY_INLINE float SquareRoot(float x) { return __builtin_sqrtf(x); }
HWY_INLINE float RoundHalfToEven(float x) { return __builtin_rintf(x); }
HWY_INLINE double RoundHalfToEven(double x) { return __builtin_rint(x); }
HWY_INLINE double SquareRoot(double x) { return __builtin_sqrt(x); }

template <typename T>
HWY_INLINE T InverseOrZero(T scale) {
  return scale > kSmallestScale<T> && scale < kLargestScale<T> ? T(1) / scale : T(0);
}

// Looks for numbers that are NaN or infinite: 0 * x is NaN exactly for those, and so are sums of that.
template <typename T>
class FiniteCheck {
 public:
  using D = hn::ScalableTag<T>;

  HWY_INLINE FiniteCheck() : sum_(hn::Zero(D())), rest_(0) {}
  HWY_INLINE void Add(hn::Vec<D> x) { sum_ = hn::MulAdd(hn::Zero(D()), x, sum_); }
  HWY_INLINE void Add(T x) { rest_ += T(0) * x; }
  HWY_INLINE bool all_are_finite() const { return hn::AllFalse(D(), hn::IsNaN(sum_)) && rest_ == T(0); }

 private:
  hn::Vec<D> sum_;
  T rest_;
};

template <typename T>
HWY_INLINE bool IsFinite(const T* x, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  FiniteCheck<T> even, odd;  // Two chains: an addition takes longer than the rest of a step.
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    even.Add(hn::LoadU(d, x + i));
    odd.Add(hn::LoadU(d, x + i + lanes));
  }
  for (; i + lanes <= n; i += lanes) even.Add(hn::LoadU(d, x + i));
  for (; i < n; ++i) odd.Add(x[i]);
  return even.all_are_finite() && odd.all_are_finite();
}

template <typename T>
HWY_INLINE T Sum(const T* x, int64_t n) {
  T sum[1];
  SumVectors(n, sum, [&](auto d, int64_t i, auto& sums) HWY_ATTR { sums[0] = hn::Add(sums[0], hn::LoadU(d, x + i)); });
  return sum[0];
}

template <typename T>
HWY_INLINE T SumAbs(const T* x, int64_t n) {
  T sum[1];
  SumVectors(n, sum,
             [&](auto d, int64_t i, auto& sums) HWY_ATTR { sums[0] = hn::Add(sums[0], hn::Abs(hn::LoadU(d, x + i))); });
  return sum[0];
}

template <typename T>
HWY_INLINE T MaxAbs(const T* x, int64_t n) {
  const hn::ScalableTag<T> d;
  auto largest = hn::Zero(d);
  T rest = 0;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) largest = hn::Max(largest, hn::Abs(hn::LoadU(d, x + i)));
  for (; i < n; ++i) rest = Max(rest, Abs(x[i]));
  return Max(rest, hn::GetLane(hn::MaxOfLanes(d, largest)));
}

template <typename T>
struct Extent {
  T smallest;
  T largest;
  bool is_finite;  // All of them: comparisons lose a NaN.
};

template <typename T>
HWY_INLINE Extent<T> ExtentOf(const T* x, int64_t n) {
  const hn::ScalableTag<T> d;
  auto smallest = hn::Set(d, x[0]), largest = smallest;
  FiniteCheck<T> even, odd;
  Extent<T> rest{x[0], x[0], true};
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + i + lanes);
    smallest = hn::Min(smallest, hn::Min(a, b));
    largest = hn::Max(largest, hn::Max(a, b));
    even.Add(a);
    odd.Add(b);
  }
  if (i + lanes <= n) {
    const auto last = hn::LoadU(d, x + i);
    smallest = hn::Min(smallest, last);
    largest = hn::Max(largest, last);
    even.Add(last);
    i += lanes;
  }
  for (; i < n; ++i) {
    rest = {Min(rest.smallest, x[i]), Max(rest.largest, x[i]), true};
    odd.Add(x[i]);
  }
  return {Min(rest.smallest, hn::GetLane(hn::MinOfLanes(d, smallest))),
          Max(rest.largest, hn::GetLane(hn::MaxOfLanes(d, largest))), even.all_are_finite() && odd.all_are_finite()};
}

// The sum of ((x - mean) unit)^2.
template <typename T>
HWY_INLINE T SumOfSquares(const T* x, int64_t n, T mean, T unit) {
  T sum[1];
  SumVectors(n, sum, [&](auto d, int64_t i, auto& sums) HWY_ATTR {
    const auto scaled = hn::Mul(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean)), hn::Set(d, unit));
    sums[0] = hn::MulAdd(scaled, scaled, sums[0]);
  });
  return sum[0];
}

// The mean of x and the sum of (x - mean)^2, by sums about a number of the block. False where rounding would leave
// little of the difference of two such sums: where that number lies far from the others.
template <typename T>
HWY_INLINE bool SumsInOnePass(const T* x, int64_t n, T* mean, T* squares) {
  constexpr T kLeastLeft = T(1) / T(16);
  const T pivot = x[n - 1];
  T sums[2];
  SumVectors(n, sums, [&](auto d, int64_t i, auto& sum) HWY_ATTR {
    const auto moved = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, pivot));
    sum[0] = hn::Add(sum[0], moved);
    sum[1] = hn::MulAdd(moved, moved, sum[1]);
  });
  const T mean_moved = sums[0] / static_cast<T>(n);
  *mean = pivot + mean_moved;
  *squares = sums[1] - mean_moved * sums[0];
  return *squares > kLeastLeft * sums[1] && sums[1] < kLargestScale<T>;
}

// The mean, and the RMS about it.
template <typename T>
struct Moments {
  T mean;
  T rms;
};

// About zero where not `centred`. `count` is n, or less where the rest of x are zeros that do not count.
template <typename T>
HWY_INLINE Moments<T> MomentsAbout(bool centred, const T* x, int64_t n, T count) {
  T mean = 0, sum = 0;
  if (!centred || !SumsInOnePass(x, n, &mean, &sum)) {
    mean = centred ? Sum(x, n) / count : T(0);
    sum = SumOfSquares(x, n, mean, T(1));
  }
  if (sum > kSmallestScale<T> && sum < kLargestScale<T>) return {mean, SquareRoot(sum * (T(1) / count))};
  T largest = 0;  // Squares leave the range of T: measure in units of the largest number.
  for (int64_t i = 0; i < n; ++i) largest = Max(largest, Abs(x[i] - mean));
  return {mean, SquareRoot(SumOfSquares(x, n, mean, InverseOrZero(largest)) / count) * largest};
}

// The same of y = H x from x, whose numbers may be had before y is: H, normalised, keeps the sum of squares and leaves
// sqrt(n) times the mean of y in the first x. False where that is out of range, or nothing is left about the mean.
template <typename T>
HWY_INLINE bool MomentsOfRotated(bool centred, const T* x, int64_t n, Moments<T>* moments) {
  T squares[1];
  SumVectors(n, squares, [&](auto d, int64_t i, auto& sum) HWY_ATTR {
    auto numbers = hn::LoadU(d, x + i);
    if (centred && i == 0) numbers = hn::IfThenZeroElse(hn::FirstN(d, 1), numbers);
    sum[0] = hn::MulAdd(numbers, numbers, sum[0]);
  });
  const T inverse = T(1) / static_cast<T>(n), mean = centred ? x[0] * SquareRoot(inverse) : T(0);
  *moments = {mean, SquareRoot(squares[0] * inverse)};
  return squares[0] > kSmallestScale<T> && squares[0] < kLargestScale<T> && Abs(mean) < kLargestScale<T>;
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_STATISTICS_INL_H_
