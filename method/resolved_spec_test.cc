// SPDX-License-Identifier: Apache-2.0
#include "method/resolved_spec.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "method/hadamard_sign.h"
#include "method/problems.h"

namespace ridgeline {
namespace {

TEST(ResolvedSpecTest, WhatASpecLeavesOpenIsItsEstimatorsOwnAndWhatItSaysStays) {
  QuantizerSpec spec{.estimator = "ridge_trust", .format = Format::kInt1};
  EXPECT_EQ(Resolve(spec).trust, 1.30);
  EXPECT_TRUE(Resolve(spec).is_fit_detached);
  spec.format = Format::kTernary;
  EXPECT_EQ(Resolve(spec).trust, 0);
  spec.trust = 0.7;
  spec.fit_gradient = FitGradient::kGraph;
  EXPECT_EQ(Resolve(spec).trust, 0.7);
  EXPECT_FALSE(Resolve(spec).is_fit_detached);
  spec = {.estimator = "quest", .format = Format::kTernary};
  EXPECT_EQ(Resolve(spec).trust, 0);
  spec.estimator = "ridge";
  EXPECT_FALSE(Resolve(spec).is_fit_detached);
}

TEST(ResolvedSpecTest, OnlyWhatIsRotatedStaysRotatedAndItsGradientIsNotThatOfTheValues) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .stays_rotated = true};
  EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("hadamard is false"), std::string::npos);
  spec.hadamard = true;
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  EXPECT_FALSE(PassesGradient(spec));
  spec.stays_rotated = false;
  EXPECT_TRUE(PassesGradient(spec));
}

TEST(ResolvedSpecTest, TheBackwardPassIsLeftBitsOfTrustOrSixNumbersOfEachFitOrNothing) {
  QuantizerSpec spec{
      .estimator = "ridge_trust", .format = Format::kInt4, .block = 20, .grid = GridStatistics::kGaussian};
  EXPECT_FALSE(PassesFit(spec));
  EXPECT_EQ(SavedBytes(spec, 40), 2 * 3);
  EXPECT_EQ(SavedBytes(spec, 41), 2 * 3 + 1);
  spec.fit_gradient = FitGradient::kGraph;
  EXPECT_TRUE(PassesFit(spec));
  EXPECT_EQ(SavedBytes(spec, 40), 2 * 6 * 4);
  EXPECT_EQ(SavedBytes(spec, 41), 3 * 6 * 4);
  EXPECT_EQ(SavedBytes(spec, 41, sizeof(double)), 3 * 6 * 8);
  EXPECT_EQ(SavedBytes(spec, 8), 6 * 4);
  spec.estimator = "ste";
  EXPECT_EQ(SavedBytes(spec, 40), 0);
}

TEST(ResolvedSpecTest, BlocksOfPrunedNumbersAreWholeGroupsAndNoneIsLongerThanItsRow) {
  EXPECT_EQ(BlockLength(QuantizerSpec{.block = 128}, 1000), 128);
  EXPECT_EQ(BlockLength(QuantizerSpec{.block = 128}, 100), 100);
  EXPECT_EQ(BlockLength(QuantizerSpec{.block = 128, .granularity = Granularity::kRow}, 1000), 1000);
  EXPECT_EQ(BlockLength(QuantizerSpec{.block = 128, .sparsity = {2, 5}}, 1000), 125);
  EXPECT_EQ(BlockLength(QuantizerSpec{.block = 4, .sparsity = {2, 8}}, 1000), 8);
}

TEST(ResolvedSpecTest, HadamardSignsAreHalfAndHalfAndNeighboursDoNotFollowEachOther) {
  int sum = 0, agreeing = 0;
  for (int64_t i = 0; i < 65536; ++i) {
    sum += HadamardSign(i);
    agreeing += HadamardSign(i) * HadamardSign(i + 1);
  }
  EXPECT_LT(std::abs(sum), 4 * 256);  // Four standard deviations.
  EXPECT_LT(std::abs(agreeing), 4 * 256);
}

}  // namespace
}  // namespace ridgeline
