// SPDX-License-Identifier: Apache-2.0
#include "weights/block_codes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "weights/decode.h"

namespace ridgeline {
namespace {

// Numbers that the type holds, in an order without a pattern.
std::vector<int8_t> WholesOf(Dtype dtype) {
  std::vector<int8_t> held, wholes;
  for (int whole = -128; whole <= 127; ++whole)
    if (HoldsWhole(dtype, whole)) held.push_back(static_cast<int8_t>(whole));
  uint32_t state = 1;
  for (int64_t i = 0; i < BlockElements(dtype); ++i) {
    state = state * 1664525 + 1013904223;
    wholes.push_back(held[(state >> 8) % held.size()]);
  }
  return wholes;
}

TEST(BlockCodesTest, BlocksDecodeToTheNumbersTimesTheScale) {
  for (Dtype dtype : TypesOfCodes())
    for (float scale : {0.25f, -2.0f, 0x1p-14f}) {
      const std::vector<int8_t> wholes = WholesOf(dtype);
      const float offset = HasBlockOffset(dtype) ? -0.375f : 0,
                  stored = dtype == Dtype::kMXFP4 ? std::abs(scale) : scale;
      std::string bytes;
      ASSERT_TRUE(AppendBlock(dtype, wholes, stored, offset, &bytes)) << DtypeName(dtype);
      ASSERT_EQ(static_cast<int64_t>(bytes.size()), BlockBytes(dtype));
      std::vector<float> decoded(wholes.size());
      ASSERT_TRUE(DecodeToFloat({"x", dtype, {BlockElements(dtype)}, bytes}, 0, decoded).ok());
      for (size_t i = 0; i < wholes.size(); ++i)
        ASSERT_EQ(decoded[i], wholes[i] * stored + offset) << DtypeName(dtype) << " " << i;
    }
}

TEST(BlockCodesTest, TypesComeWithTheFewestBitsFirst) {
  double before = 0;
  for (Dtype dtype : TypesOfCodes()) {
    const double bits = 8.0 * static_cast<double>(BlockBytes(dtype)) / static_cast<double>(BlockElements(dtype));
    EXPECT_GE(bits, before) << DtypeName(dtype);
    before = bits;
  }
}

TEST(BlockCodesTest, WhatATypeHasNoNumberForIsRefusedAndNothingIsAppended) {
  std::string bytes;
  std::vector<int8_t> ones(256, 1), zeros(256, 0);
  const auto of = [](const std::vector<int8_t>& wholes, Dtype dtype) {
    return std::span(wholes).first(static_cast<size_t>(BlockElements(dtype)));
  };
  for (Dtype dtype : TypesOfCodes())
    for (float bad : {1.0f + 0x1p-11f, 0x1p-25f, 65536.0f, -NAN, INFINITY}) {
      if (dtype == Dtype::kMXFP4 && (bad == 0x1p-25f || bad == 65536.0f)) continue;
      EXPECT_FALSE(AppendBlock(dtype, of(ones, dtype), bad, 0, &bytes)) << DtypeName(dtype) << bad;
      if (HasBlockOffset(dtype)) {
        EXPECT_FALSE(AppendBlock(dtype, of(ones, dtype), 1, bad, &bytes)) << DtypeName(dtype) << bad;
      }
    }
  EXPECT_FALSE(AppendBlock(Dtype::kMXFP4, of(ones, Dtype::kMXFP4), 0, 0, &bytes));
  EXPECT_FALSE(AppendBlock(Dtype::kQ1_0, of(zeros, Dtype::kQ1_0), 1, 0, &bytes));
  EXPECT_FALSE(AppendBlock(Dtype::kQ8_0, of(ones, Dtype::kQ8_0), 1, 0.5f, &bytes));
  std::vector<int8_t> beyond(256, 16);
  for (Dtype dtype : {Dtype::kTQ1_0, Dtype::kTQ2_0, Dtype::kQ2_0, Dtype::kQ4_0, Dtype::kQ4_1, Dtype::kQ5_0})
    EXPECT_FALSE(AppendBlock(dtype, of(beyond, dtype), 1, 0, &bytes)) << DtypeName(dtype);
  EXPECT_TRUE(bytes.empty());
}

}  // namespace
}  // namespace ridgeline
