// SPDX-License-Identifier: Apache-2.0
// Rounding to the nearest number of a small floating-point format, exactly and without logarithms
// (docs/methods.md#formats), and powers of two. Compiled once for each instruction set; include only from files that
// use foreach_target.
#if defined(RIDGELINE_QUANT_KERNELS_FLOAT_ROUND_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_FLOAT_ROUND_INL_H_
#undef RIDGELINE_QUANT_KERNELS_FLOAT_ROUND_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_FLOAT_ROUND_INL_H_
#endif

#include <hwy/highway.h>

#include <bit>
#include <cstdint>

#include "method/format.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// 2^floor(log2 a) of a normal a > 0: its exponent bits alone. 0 for zero and subnormal numbers.
HWY_INLINE float PowerOfTwoBelow(float a) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(a) & UINT32_C(0x7F800000));
}
HWY_INLINE double PowerOfTwoBelow(double a) {
  return std::bit_cast<double>(std::bit_cast<uint64_t>(a) & UINT64_C(0x7FF0000000000000));
}

// 2^ceil(log2 a), at least 2^-126 and at most 2^127.
template <typename T>
HWY_INLINE T PowerOfTwoAtLeast(T a) {
  const T smallest = static_cast<T>(0x1p-126), largest = static_cast<T>(0x1p127);
  if (a <= smallest) return smallest;
  const T below = PowerOfTwoBelow(a);
  const T power = below == a ? a : below + below;
  return power < largest ? power : largest;
}

// The numbers of a floating-point element, ready for RoundToLevel.
template <typename T>
struct FloatLevels {
  T smallest_normal = 0;  // Below it levels are as far apart as just above it.
  T magnet = 0;           // 1.5 * 2^(digits of T - 1 - mantissa bits); 0 where levels are not floating-point.
};

template <typename T>
HWY_INLINE FloatLevels<T> FloatLevelsOf(const FloatElement& element) {
  if (!element.enabled()) return {};
  constexpr int kDigits = sizeof(T) == 4 ? 24 : 53;
  return {
      std::bit_cast<T>(static_cast<std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>(
          (sizeof(T) == 4 ? int64_t{127} + element.smallest_exponent() : int64_t{1023} + element.smallest_exponent())
          << (kDigits - 1))),
      T(1.5) * static_cast<T>(int64_t{1} << (kDigits - 1 - element.mantissa_bits))};
}

// Nearest level, ties to the even one. REQUIRES: 0 <= a <= the largest level. A sum with a number this much larger has
// room for exactly the element's mantissa bits, so the addition itself rounds.
template <typename T>
HWY_INLINE T RoundToLevel(const FloatLevels<T>& levels, T a) {
  const T below = PowerOfTwoBelow(a);
  const T large = levels.magnet * (below > levels.smallest_normal ? below : levels.smallest_normal);
  return (a + large) - large;
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_FLOAT_ROUND_INL_H_
