// SPDX-License-Identifier: Apache-2.0
// The plain twins of gradient_wire.h: what the fast ones are held to, bit for bit.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "model/kernels/gradient_wire.h"

namespace ridgeline {

inline uint64_t Mix64_ref(uint64_t h) {
  h = (h ^ (h >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  h = (h ^ (h >> 27)) * UINT64_C(0x94D049BB133111EB);
  return h ^ (h >> 31);
}

// 0 .. 2^24 - 1, of the number at that place.
inline uint32_t Draw_ref(uint64_t seed, uint64_t place) {
  const uint64_t key = Mix64_ref(Mix64_ref(seed) + place / 128);
  uint32_t h = static_cast<uint32_t>(place % 128) + static_cast<uint32_t>(key);
  h = ((h ^ (h >> 16)) * UINT32_C(0x7FEB352D)) ^ static_cast<uint32_t>(key >> 32);
  h = (h ^ (h >> 15)) * UINT32_C(0x846CA68B);
  return (h ^ (h >> 16)) >> 8;
}

// What travels of the numbers at `begin` and after it, of one block: the scale, and codes.
struct Int8Block_ref {
  float scale;
  std::vector<int8_t> codes;
};

inline Int8Block_ref EncodeInt8Block_ref(std::span<const float> x, uint64_t seed, uint64_t begin) {
  Int8Block_ref block{.scale = std::numeric_limits<float>::min(), .codes = std::vector<int8_t>(x.size())};
  for (float v : x) {
    if (!std::isfinite(v)) return {std::numeric_limits<float>::quiet_NaN(), std::vector<int8_t>(x.size())};
    block.scale = std::max(block.scale, std::abs(v) / 127);
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const float y = std::clamp(x[i] * (1 / block.scale), -127.0f, 127.0f), below = std::floor(y);
    const bool up = static_cast<float>(Draw_ref(seed, begin + i)) < (y - below) * 0x1p24f;
    block.codes[i] = static_cast<int8_t>(below + (up ? 1 : 0));
  }
  return block;
}

inline uint16_t RoundToBfloat16_ref(float x) {
  const uint32_t word = std::bit_cast<uint32_t>(x);
  return std::isnan(x) ? 0x7FC0 : static_cast<uint16_t>((word + 0x7FFF + ((word >> 16) & 1)) >> 16);
}

inline std::vector<std::byte> EncodeGradient_ref(GradientDtype dtype, std::span<const float> x, uint64_t seed) {
  std::vector<std::byte> wire;
  const auto append = [&wire](const auto& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    wire.insert(wire.end(), bytes.begin(), bytes.end());
  };
  if (dtype == GradientDtype::kFloat32)
    for (float v : x) append(v);
  if (dtype == GradientDtype::kBfloat16)
    for (float v : x) append(RoundToBfloat16_ref(v));
  for (size_t begin = 0; dtype == GradientDtype::kInt8 && begin < x.size(); begin += 128) {
    const Int8Block_ref block =
        EncodeInt8Block_ref(x.subspan(begin, std::min(x.size() - begin, size_t{128})), seed, begin);
    append(block.scale);
    for (int8_t code : block.codes) append(code);
  }
  wire.resize((wire.size() + 3) / 4 * 4);
  return wire;
}

template <typename T>
T ValueAt_ref(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

inline std::vector<float> Decode_ref(GradientDtype dtype, const std::byte* wire, size_t count) {
  std::vector<float> x(count);
  for (size_t i = 0; i < count; ++i) {
    if (dtype == GradientDtype::kFloat32) x[i] = ValueAt_ref<float>(wire + 4 * i);
    if (dtype == GradientDtype::kBfloat16) x[i] = std::bit_cast<float>(ValueAt_ref<uint16_t>(wire + 2 * i) << 16);
    if (dtype == GradientDtype::kInt8) {
      const std::byte* block = wire + i / 128 * 132;
      x[i] = static_cast<float>(ValueAt_ref<int8_t>(block + 4 + i % 128)) * ValueAt_ref<float>(block);
    }
  }
  return x;
}

}  // namespace ridgeline
