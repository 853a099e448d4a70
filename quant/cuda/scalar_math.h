// SPDX-License-Identifier: Apache-2.0
// Arithmetic on single numbers, with the same bits on the device as on the host: every operation here is correctly
// rounded by IEEE 754, and both sides are compiled without contracting a * b + c on their own.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "quant/cuda/host_device.h"

namespace ridgeline::cuda {

// A scale is told apart from nothing, and from infinity, between these; outside its block is reproduced as it is.
inline constexpr float kSmallestScale = 1e-30f;
inline constexpr float kLargestScale = 1e30f;

RIDGELINE_HOST_DEVICE float Min(float a, float b) { return ::fminf(a, b); }
RIDGELINE_HOST_DEVICE float Max(float a, float b) { return ::fmaxf(a, b); }
RIDGELINE_HOST_DEVICE float Abs(float x) { return ::fabsf(x); }
RIDGELINE_HOST_DEVICE float MulAdd(float a, float b, float c) { return ::fmaf(a, b, c); }
RIDGELINE_HOST_DEVICE bool IsFinite(float x) { return Abs(x) <= 3.402823466e38f; }

RIDGELINE_HOST_DEVICE uint32_t BitsOf(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  return bits;
}
RIDGELINE_HOST_DEVICE float FloatOf(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof(x));
  return x;
}
RIDGELINE_HOST_DEVICE float Nan() { return FloatOf(0x7FC00000u); }

RIDGELINE_HOST_DEVICE float InverseOrZero(float scale) {
  return scale > kSmallestScale && scale < kLargestScale ? 1.0f / scale : 0.0f;
}

// 2^floor(log2 a) of a normal a > 0: its exponent bits alone. 0 for zero and subnormal numbers.
RIDGELINE_HOST_DEVICE float PowerOfTwoBelow(float a) { return FloatOf(BitsOf(a) & 0x7F800000u); }

// 2^ceil(log2 a), at least 2^-126 and at most 2^127.
RIDGELINE_HOST_DEVICE float PowerOfTwoAtLeast(float a) {
  const float smallest = FloatOf(1u << 23), largest = FloatOf(254u << 23);
  if (a <= smallest) return smallest;
  const float below = PowerOfTwoBelow(a);
  return below == a ? a : Min(below + below, largest);
}

// The numbers of a small floating-point format, as in quant/kernels/float_round-inl.h.
struct FloatLevels {
  float smallest_normal = 0;
  float magnet = 0;  // 1.5 * 2^(23 - mantissa bits); 0 where levels are not floating-point.
};

// Nearest level, ties to the even one: a sum with so large a number has room for just the element's mantissa.
// REQUIRES: 0 <= a <= the largest level.
RIDGELINE_HOST_DEVICE float RoundToLevel(const FloatLevels& levels, float a) {
  const float large = levels.magnet * Max(PowerOfTwoBelow(a), levels.smallest_normal);
  return (a + large) - large;
}

}  // namespace ridgeline::cuda
