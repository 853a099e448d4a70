// SPDX-License-Identifier: Apache-2.0
#include "quant/testing/all_close.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace ridgeline {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Lenient enough for any two numbers.
constexpr double kLenient = 1e300;

using Vector = std::vector<double>;

TEST(AllCloseTest, OneNanOnEitherSideIsADifferenceAtAnyTolerance) {
  const Vector numbers = {1, 2, 3};
  for (size_t place = 0; place < numbers.size(); ++place)
    for (double trouble : {kNan, kInfinity, -kInfinity}) {
      Vector troubled = numbers;
      troubled[place] = trouble;
      EXPECT_FALSE(AllNear(troubled, numbers, kLenient)) << trouble << " at " << place;
      EXPECT_FALSE(AllNear(numbers, troubled, kLenient)) << trouble << " at " << place;
      EXPECT_FALSE(AllClose(troubled, numbers, kLenient)) << trouble << " at " << place;
      EXPECT_FALSE(AllClose(numbers, troubled, kLenient)) << trouble << " at " << place;
      EXPECT_DOUBLE_EQ(ShareOff(troubled, numbers, kLenient), 1.0 / 3) << trouble << " at " << place;
    }
}

TEST(AllCloseTest, NumbersThatAreAllNanAreDifferentAlsoFromThemselves) {
  const Vector nans(4, kNan);
  EXPECT_FALSE(AllNear(nans, Vector{1, 2, 3, 4}, kLenient));
  EXPECT_FALSE(AllClose(nans, nans, kLenient));
  EXPECT_EQ(ShareOff(nans, nans, kLenient), 1);
}

TEST(AllCloseTest, InfinitiesAreNotCloseToThemselves) {
  EXPECT_FALSE(AllNear(Vector{kInfinity}, Vector{kInfinity}, kInfinity - 1));
  EXPECT_FALSE(AllClose(Vector{1, kInfinity}, Vector{1, kInfinity}, kLenient));
}

TEST(AllCloseTest, AnotherLengthAndNothingAreDifferences) {
  EXPECT_FALSE(AllNear(Vector{1, 1}, Vector{1}, kLenient));
  EXPECT_FALSE(AllClose(Vector{1}, Vector{1, 1}, kLenient));
  EXPECT_FALSE(AllNear(Vector{}, Vector{}, kLenient));
  EXPECT_FALSE(AllClose(Vector{}, Vector{}, kLenient));
  EXPECT_EQ(ShareOff(Vector{1}, Vector{1, 1}, kLenient), 1);
  EXPECT_EQ(ShareOff(Vector{}, Vector{}, kLenient), 1);
}

TEST(AllCloseTest, ToleranceIsAbsoluteOrRelativeToTheLargestExpectedNumber) {
  const Vector expected = {100, 0, -1};
  const std::vector<float> got = {100.5f, 0.0f, -1.0f};
  EXPECT_TRUE(AllNear(got, expected, 0.5));
  EXPECT_FALSE(AllNear(got, expected, 0.49));
  EXPECT_TRUE(AllClose(got, expected, 0.005));
  EXPECT_FALSE(AllClose(got, expected, 0.0049));
  EXPECT_DOUBLE_EQ(ShareOff(got, expected, 0.0049), 1.0 / 3);
  EXPECT_EQ(ShareOff(got, expected, 0.005), 0);
}

TEST(AllCloseTest, ZerosAreCloseToZerosOnly) {
  EXPECT_TRUE(AllClose(Vector{0, 0}, Vector{0, 0}, 1e-6));
  EXPECT_FALSE(AllClose(Vector{0, 1e-9}, Vector{0, 0}, 1e-6));
}

}  // namespace
}  // namespace ridgeline
