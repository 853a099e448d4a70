// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/narrow.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace ridgeline {
namespace {

float FloatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

bool IsNanBits(uint32_t upper) { return (upper & 0x7FFFu) > 0x7F80u; }

uint16_t Narrow_ref(uint32_t bits) {
  const uint32_t odd = bits >> 16 & 1u;
  return static_cast<uint16_t>((bits + 0x7FFFu + odd) >> 16);
}

std::vector<BFloat16> Narrowed(NarrowFunction narrow, const std::vector<uint32_t>& bits) {
  std::vector<float> from;
  for (uint32_t one : bits) from.push_back(FloatOf(one));
  std::vector<BFloat16> to(bits.size() + 1, BFloat16{0xA5A5});
  narrow(from.data(), static_cast<int64_t>(from.size()), to.data());
  EXPECT_EQ(to.back().bits, 0xA5A5) << "written beyond the end";
  to.pop_back();
  return to;
}

TEST(NarrowTest, RoundsToTheNearestAndTiesToEvenInEveryLengthSubnormalNumbersToo) {
  ASSERT_FALSE(NarrowFunctions().empty());
  std::mt19937 engine(1);
  for (size_t n = 0; n <= 70; ++n) {
    std::vector<uint32_t> bits(n);
    for (uint32_t& one : bits) {
      one = engine();
      if (engine() % 2 == 0) one = (one & 0xFFFF0000u) | 0x8000u;  // A tie.
      if ((one & 0x7F800000u) == 0x7F800000u) one ^= 0x40000000u;  // Neither infinite nor NaN.
      if (n % 3 == 0 && engine() % 8 == 0) one &= 0x807FFFFFu;     // Subnormal.
    }
    for (NarrowFunction narrow : NarrowFunctions()) {
      const std::vector<BFloat16> narrowed = Narrowed(narrow, bits);
      for (size_t i = 0; i < n; ++i) EXPECT_EQ(narrowed[i].bits, Narrow_ref(bits[i])) << std::hex << bits[i];
    }
  }
}

TEST(NarrowTest, WhatIsNotFiniteStaysSo) {
  const std::vector<uint32_t> bits = {0x7F800000u, 0xFF800000u, 0x7FC00000u, 0x7F800001u, 0x7FFFFFFFu, 0xFFFFFFFFu};
  for (NarrowFunction narrow : NarrowFunctions()) {
    const std::vector<BFloat16> narrowed = Narrowed(narrow, bits);
    EXPECT_EQ(narrowed[0].bits, 0x7F80);
    EXPECT_EQ(narrowed[1].bits, 0xFF80);
    for (size_t i = 2; i < bits.size(); ++i) EXPECT_TRUE(IsNanBits(narrowed[i].bits)) << std::hex << bits[i];
  }
}

}  // namespace
}  // namespace ridgeline
