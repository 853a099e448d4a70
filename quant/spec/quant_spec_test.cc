// SPDX-License-Identifier: Apache-2.0
#include "quant/spec/quant_spec.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "quant/spec/definition.h"
#include "quant/spec/hadamard_sign.h"

namespace ridgeline {
namespace {

TEST(QuantSpecTest, EveryFormatNameReadsBackToItself) {
  for (std::string name : {"none",       "int1",       "int2",       "int3",  "int4",       "int5",       "int6",
                           "int7",       "int8",       "ternary",    "fp4",   "fp6_e2m3",   "fp6_e3m2",   "fp8_e4m3",
                           "fp8_e5m2",   "bitmod_fp3", "bitmod_fp4", "mxfp4", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp8_e4m3",
                           "mxfp8_e5m2", "mxint8",     "nvfp4",      "nvint4"})
    EXPECT_EQ(FormatName(ParseFormat(name).value()), name);
}

TEST(QuantSpecTest, UnknownNamesAreErrorsThatListTheChoices) {
  EXPECT_NE(std::string(ParseFormat("int9").status().message()).find("ternary"), std::string::npos);
  EXPECT_FALSE(ParseScheme("affin").ok());
  EXPECT_FALSE(ParseGridGradient("").ok());
}

TEST(QuantSpecTest, AffineTernaryIsRefused) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kTernary, .scheme = Scheme::kAffine};
  EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
}

TEST(QuantSpecTest, GridNamesReadBackAndOthersAreRefused) {
  for (std::string name : {"minmax", "gaussian"})
    EXPECT_EQ(GridStatisticsName(ParseGridStatistics(name).value()), name);
  EXPECT_NE(std::string(ParseGridStatistics("gauss").status().message()).find("gaussian"), std::string::npos);
}

TEST(QuantSpecTest, QuestIsLinearOnADetachedGaussianGrid) {
  QuantizerSpec quest{
      .estimator = "quest", .format = Format::kInt1, .scheme = Scheme::kLinear, .grid = GridStatistics::kGaussian};
  EXPECT_TRUE(ValidateQuantizerSpec(quest).ok());
  QuantizerSpec affine = quest, minmax = quest, graph = quest;
  affine.scheme = Scheme::kAffine;
  minmax.grid = GridStatistics::kMinMax;
  graph.grid_gradient = GridGradient::kGraph;
  for (const QuantizerSpec& spec : {affine, minmax, graph}) EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
}

TEST(QuantSpecTest, RidgeTrustNeedsADetachedGaussianGridInEitherScheme) {
  for (Scheme scheme : {Scheme::kLinear, Scheme::kAffine}) {
    QuantizerSpec spec{
        .estimator = "ridge_trust", .format = Format::kInt2, .scheme = scheme, .grid = GridStatistics::kGaussian};
    EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
    spec.grid = GridStatistics::kMinMax;
    EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
  }
}

TEST(QuantSpecTest, AHadamardBlockIsAPowerOfTwoWithoutATail) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kInt2, .block = 96};
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  EXPECT_TRUE(ValidateFeatures(spec, 100).ok());
  spec.hadamard = true;
  EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("96"), std::string::npos);
  spec.block = 64;
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  EXPECT_TRUE(ValidateFeatures(spec, 192).ok());
  EXPECT_NE(std::string(ValidateFeatures(spec, 96).message()).find("tail of 32"), std::string::npos);
}

TEST(QuantSpecTest, GranularityNamesReadBackAndOthersAreRefused) {
  for (std::string name : {"block", "row", "tensor"}) EXPECT_EQ(GranularityName(ParseGranularity(name).value()), name);
  EXPECT_FALSE(ParseGranularity("channel").ok());
}

TEST(QuantSpecTest, MxAndNvFormatsHaveTheirOwnBlockAndScale) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kMxFp4, .scheme = Scheme::kLinear, .block = 32};
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  QuantizerSpec affine = spec, block = spec, gaussian = spec, graph = spec, row = spec, ridge = spec;
  affine.scheme = Scheme::kAffine;
  block.block = 16;
  gaussian.grid = GridStatistics::kGaussian;
  graph.grid_gradient = GridGradient::kGraph;
  row.granularity = Granularity::kRow;
  ridge.estimator = "ridge";
  for (const QuantizerSpec& other : {affine, block, gaussian, graph, row, ridge})
    EXPECT_FALSE(ValidateQuantizerSpec(other).ok());
  EXPECT_NE(std::string(ValidateQuantizerSpec(block).message()).find("use 32"), std::string::npos);
}

TEST(QuantSpecTest, AHadamardTurnsBlocksOnly) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .hadamard = true};
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  spec.granularity = Granularity::kRow;
  EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
}

TEST(QuantSpecTest, ALearnedScaleBelongsToRowsOrToTheTensor) {
  for (std::string estimator : {"lsq", "paretoq", "post", "asq"}) {
    QuantizerSpec spec{.estimator = estimator, .format = Format::kInt4, .scheme = Scheme::kLinear};
    EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("use row or tensor"), std::string::npos);
    for (Granularity granularity : {Granularity::kRow, Granularity::kTensor}) {
      spec.granularity = granularity;
      EXPECT_TRUE(ValidateQuantizerSpec(spec).ok()) << ValidateQuantizerSpec(spec);
    }
    spec.format = Format::kFp4;
    EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
  }
}

TEST(QuantSpecTest, OnlyRidgeOnADetachedGridHasAFitToDetach) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kInt4, .fit_gradient = FitGradient::kDetached};
  QuantizerSpec ste = spec, graph = spec;
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  ste.estimator = "ste";
  EXPECT_NE(std::string(ValidateQuantizerSpec(ste).message()).find("use ridge or ridge_trust"), std::string::npos);
  graph.grid_gradient = GridGradient::kGraph;
  EXPECT_NE(std::string(ValidateQuantizerSpec(graph).message()).find("use detached"), std::string::npos);
}

TEST(QuantSpecTest, ANegativeTrustIsRefused) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .trust = -0.1};
  EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("trust is -0.1"), std::string::npos);
}

TEST(QuantSpecTest, WhatASpecLeavesOpenIsItsEstimatorsOwnAndWhatItSaysStays) {
  QuantizerSpec spec{.estimator = "ridge_trust", .format = Format::kInt1};
  EXPECT_EQ(ResolveDefaults(spec).trust, 1.30);
  EXPECT_EQ(ResolveDefaults(spec).fit_gradient, FitGradient::kDetached);
  spec.format = Format::kTernary;
  EXPECT_EQ(ResolveDefaults(spec).trust, 0);
  spec.trust = 0.7;
  spec.fit_gradient = FitGradient::kGraph;
  EXPECT_EQ(ResolveDefaults(spec).trust, 0.7);
  EXPECT_EQ(ResolveDefaults(spec).fit_gradient, FitGradient::kGraph);
  spec = {.estimator = "quest", .format = Format::kTernary};
  EXPECT_EQ(ResolveDefaults(spec).trust, 0);
  spec.estimator = "ridge";
  EXPECT_EQ(ResolveDefaults(spec).fit_gradient, FitGradient::kGraph);
}

TEST(QuantSpecTest, SignsNeedAHadamardMatrix) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .hadamard_signs = true};
  EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("hadamard is false"), std::string::npos);
  spec.hadamard = true;
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
}

TEST(QuantSpecTest, OnlyWhatIsRotatedStaysRotatedAndItsGradientIsNotThatOfTheValues) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .stays_rotated = true};
  EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("hadamard is false"), std::string::npos);
  spec.hadamard = true;
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  EXPECT_FALSE(PassesGradient(spec));
  spec.stays_rotated = false;
  EXPECT_TRUE(PassesGradient(spec));
}

TEST(QuantSpecTest, TheBackwardPassIsLeftBitsOfTrustOrSixNumbersOfEachFitOrNothing) {
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

TEST(QuantSpecTest, BlocksOfPrunedNumbersAreWholeGroupsAndNoneIsLongerThanItsRow) {
  EXPECT_EQ(BlockLength({.block = 128}, 1000), 128);
  EXPECT_EQ(BlockLength({.block = 128}, 100), 100);
  EXPECT_EQ(BlockLength({.block = 128, .granularity = Granularity::kRow}, 1000), 1000);
  EXPECT_EQ(BlockLength({.block = 128, .sparsity = {2, 5}}, 1000), 125);
  EXPECT_EQ(BlockLength({.block = 4, .sparsity = {2, 8}}, 1000), 8);
}

TEST(QuantSpecTest, HadamardSignsAreHalfAndHalfAndNeighboursDoNotFollowEachOther) {
  int sum = 0, agreeing = 0;
  for (int64_t i = 0; i < 65536; ++i) {
    sum += HadamardSign(i);
    agreeing += HadamardSign(i) * HadamardSign(i + 1);
  }
  EXPECT_LT(std::abs(sum), 4 * 256);  // Four standard deviations.
  EXPECT_LT(std::abs(agreeing), 4 * 256);
}

TEST(QuantSpecTest, TernaryPacksFiveCodesIntoAByte) { EXPECT_DOUBLE_EQ(CodeBits(Format::kTernary) * 5, 8); }

QuantizerSpec Sparse(int n, int m) {
  return {.estimator = "ridge", .format = Format::kInt4, .scheme = Scheme::kLinear, .sparsity = {n, m}};
}

TEST(QuantSpecTest, SparsityKeepsSomeOfAtMost32) {
  for (auto [n, m] : {std::pair{0, 0}, {1, 1}, {2, 2}, {2, 4}, {4, 8}, {1, 4}, {3, 4}, {1, 32}})
    EXPECT_TRUE(ValidateQuantizerSpec(Sparse(n, m)).ok()) << n << ":" << m;
  for (auto [n, m] : {std::pair{0, 4}, {5, 4}, {-1, -1}, {-1, 4}, {4, 64}})
    EXPECT_FALSE(ValidateQuantizerSpec(Sparse(n, m)).ok()) << n << ":" << m;
}

TEST(QuantSpecTest, AffineSparsityIsRefusedWithTheReason) {
  QuantizerSpec spec = Sparse(2, 4);
  spec.scheme = Scheme::kAffine;
  EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("decode to zero"), std::string::npos);
  spec.format = Format::kNone;  // Pruning alone has no codes.
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
}

TEST(QuantSpecTest, SparseGroupsAreNotCutByBlocksNorByRows) {
  QuantizerSpec spec = Sparse(2, 4);
  spec.block = 126;
  EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("126"), std::string::npos);
  spec.format = Format::kNone;
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  EXPECT_NE(std::string(ValidateFeatures(Sparse(2, 4), 130).message()).find("tail of 2"), std::string::npos);
}

TEST(QuantSpecTest, ANegativeMaskDecayIsRefused) {
  QuantizerSpec spec = Sparse(2, 4);
  spec.mask_decay = -1e-4;
  EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
}

TEST(QuantSpecTest, AMaskCostsTheLogarithmOfItsChoicesRoundedUp) {
  EXPECT_EQ(MaskBitsPerGroup({2, 4}), 3);     // 6 choices
  EXPECT_EQ(MaskBitsPerGroup({1, 4}), 2);     // 4
  EXPECT_EQ(MaskBitsPerGroup({4, 8}), 7);     // 70
  EXPECT_EQ(MaskBitsPerGroup({16, 32}), 30);  // 601,080,390
  EXPECT_EQ(MaskBitsPerGroup({1, 1}), 0);
}

}  // namespace
}  // namespace ridgeline
