// SPDX-License-Identifier: Apache-2.0
#include "method/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ridgeline {
namespace {

using ::testing::ElementsAre;

TEST(FormatTest, E2M1HasTheLevelsOfTheStandard) {
  EXPECT_THAT(LevelsOf(Format::kFp4), ElementsAre(-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6));
}

TEST(FormatTest, BitModThreeBitsAreZeroAndThreePowersOfTwo) {
  EXPECT_THAT(LevelsOf(Format::kBitModFp3), ElementsAre(-4, -2, -1, 0, 1, 2, 4));
}

struct Extremes {
  Format format;
  double smallest, largest;
  size_t levels;
};

// The OCP standards (docs/methods.md#formats). E4M3 and E5M2 keep codes for NaN, and E5M2 for infinities.
TEST(FormatTest, SmallestAndLargestNumbersAreThoseOfTheStandards) {
  for (const Extremes& extremes : {Extremes{Format::kFp6E2M3, 0.125, 7.5, 63},
                                   {Format::kFp6E3M2, 0.0625, 28, 63},
                                   {Format::kFp8E4M3, 0x1p-9, 448, 253},
                                   {Format::kFp8E5M2, 0x1p-16, 57344, 247},
                                   {Format::kMxInt8, 1, 127, 255},
                                   {Format::kNvInt4, 1, 7, 15}}) {
    SCOPED_TRACE(FormatName(extremes.format));
    std::vector<double> levels = LevelsOf(extremes.format);
    EXPECT_EQ(levels.size(), extremes.levels);
    EXPECT_EQ(levels[levels.size() / 2 + 1], extremes.smallest);
    EXPECT_EQ(levels.back(), extremes.largest);
  }
}

TEST(FormatTest, TheLastStepLeadsToTheLargestLevel) {
  int count = 0;
  for (Format format : EveryFormat()) {
    if (FloatElementOf(format).mantissa_bits == 0) continue;  // Where the largest number is the first of its binade.
    std::vector<double> levels = LevelsOf(format);
    EXPECT_EQ(FloatElementOf(format).last_step(), levels.back() - levels[levels.size() - 2]) << FormatName(format);
    EXPECT_EQ(LargestElement(format), levels.back()) << FormatName(format);
    ++count;
  }
  EXPECT_GE(count, 12);
}

TEST(FormatTest, RoundedScalesComeWithABlockAndWithoutAGaussianGrid) {
  for (Format format : EveryFormat()) {
    SCOPED_TRACE(FormatName(format));
    EXPECT_EQ(HasPlainScale(format), OwnBlock(format) == 0);
    EXPECT_EQ(HasGaussianGrid(format), HasPlainScale(format) && !IsBitMod(format));
    EXPECT_EQ(IsBitMod(format), BitModLevelsOf(format).farther > 0);
    EXPECT_EQ(HasOwnElement(format), !IsIntegerOrTernary(format));
  }
}

}  // namespace
}  // namespace ridgeline
