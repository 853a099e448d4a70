// SPDX-License-Identifier: Apache-2.0
// IEEE half and bfloat16 by their bits, without branches that stop a compiler from vectorizing. No state; any thread.
#pragma once

#include <bit>
#include <cstdint>

namespace ridgeline {

inline float FloatFromBfloat16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// To nearest, ties to even; NaN becomes a quiet NaN.
inline uint16_t Bfloat16FromFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

inline float FloatFromHalf(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent_and_mantissa = static_cast<uint32_t>(half & 0x7FFF) << 13;
  // Subnormals: the mantissa counts steps of 2^-24. Normals: the exponent's bias grows from 15 to 127.
  const float subnormal = static_cast<float>(half & 0x3FF) * 0x1p-24f;
  const bool special = (half & 0x7C00) == 0x7C00;
  const uint32_t normal = exponent_and_mantissa + ((special ? 255u - 31u : 127u - 15u) << 23);
  return std::bit_cast<float>(((half & 0x7C00) == 0 ? std::bit_cast<uint32_t>(subnormal) : normal) | sign);
}

// To nearest, ties to even; beyond 65504 + 16 it is infinite.
inline uint16_t HalfFromFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return static_cast<uint16_t>(sign | 0x7E00 | ((magnitude >> 13) & 0x3FF));
  if (magnitude >= 0x47800000) return static_cast<uint16_t>(sign | 0x7C00);  // 65536 and more
  if (magnitude < 0x38800000) {  // Subnormal halves: adding 0.5 leaves multiples of 2^-24, rounded by the addition
    const float rounded = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(rounded) - std::bit_cast<uint32_t>(0.5f)));
  }
  const uint32_t rebiased = magnitude - ((127u - 15u) << 23);
  return static_cast<uint16_t>(sign | ((rebiased + 0xFFF + ((rebiased >> 13) & 1)) >> 13));
}

}  // namespace ridgeline
