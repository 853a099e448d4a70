// SPDX-License-Identifier: Apache-2.0
#include "quant/cost/qsnr.h"

#include <gtest/gtest.h>

namespace ridgeline {
namespace {

constexpr ScaleEncoding kMx = ScaleEncoding::kPowerOfTwo, kNv = ScaleEncoding::kE4m3;

// docs/methods.md#formats.
TEST(QsnrTest, MxCrossoversAreThePapers) {
  EXPECT_NEAR(CrestFactorCrossover(8, kE4M3, kMx), 7.55, 0.01);
  EXPECT_NEAR(CrestFactorCrossover(6, kE2M3, kMx), 1.96, 0.01);
  EXPECT_NEAR(CrestFactorCrossover(4, kE2M1, kMx), 2.04, 0.01);
}

// The paper has 2.39. Its term for the block's exact maximum is known to us at second hand, and ours gives 2.46.
TEST(QsnrTest, TheNvCrossoverIsWithinAFewPercentOfThePapers) {
  EXPECT_NEAR(CrestFactorCrossover(4, kE2M1, kNv), 2.39, 0.08);
}

TEST(QsnrTest, ABitIsWorthSixDecibelsAndACrestFactorOfTwoTakesThem) {
  EXPECT_NEAR(IntegerQsnrDb(8, kMx, 4) - IntegerQsnrDb(8, kMx, 8), 6.02, 0.01);
  EXPECT_NEAR(IntegerQsnrDb(8, kMx, 4) - IntegerQsnrDb(7, kMx, 4), 6.02, 0.01);
  EXPECT_NEAR(IntegerQsnrDb(8, kMx, 1), 4.77 + 6.02 * 8 - 3.52, 0.02);
}

}  // namespace
}  // namespace ridgeline
