// SPDX-License-Identifier: Apache-2.0
#include "quant/cost/stored_bits.h"

#include <gtest/gtest.h>

namespace ridgeline {
namespace {

TEST(StoredBitsTest, AMaskCostsTheLogarithmOfItsChoicesRoundedUp) {
  EXPECT_EQ(MaskBitsPerGroup({2, 4}), 3);     // 6 choices
  EXPECT_EQ(MaskBitsPerGroup({1, 4}), 2);     // 4
  EXPECT_EQ(MaskBitsPerGroup({4, 8}), 7);     // 70
  EXPECT_EQ(MaskBitsPerGroup({16, 32}), 30);  // 601,080,390
  EXPECT_EQ(MaskBitsPerGroup({1, 1}), 0);
}

}  // namespace
}  // namespace ridgeline
