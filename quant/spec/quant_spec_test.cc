// SPDX-License-Identifier: Apache-2.0
#include "quant/spec/quant_spec.h"

#include <gtest/gtest.h>

namespace ridgeline {
namespace {

TEST(QuantSpecTest, EveryFormatNameReadsBackToItself) {
  for (std::string name : {"none", "int1", "int2", "int3", "int4", "int5", "int6", "int7", "int8", "ternary", "fp4",
                           "fp6_e2m3", "fp6_e3m2", "fp8_e4m3", "fp8_e5m2", "bitmod_fp3", "bitmod_fp4", "mxfp4",
                           "mxfp6_e2m3", "mxfp6_e3m2", "mxfp8_e4m3", "mxfp8_e5m2", "mxint8", "nvfp4", "nvint4"})
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
  QuantizerSpec quest{.estimator = "quest", .format = Format::kInt1, .scheme = Scheme::kLinear,
                      .grid = GridStatistics::kGaussian};
  EXPECT_TRUE(ValidateQuantizerSpec(quest).ok());
  QuantizerSpec affine = quest, minmax = quest, graph = quest;
  affine.scheme = Scheme::kAffine;
  minmax.grid = GridStatistics::kMinMax;
  graph.grid_gradient = GridGradient::kGraph;
  for (const QuantizerSpec& spec : {affine, minmax, graph}) EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
}

TEST(QuantSpecTest, RidgeTrustNeedsADetachedGaussianGridInEitherScheme) {
  for (Scheme scheme : {Scheme::kLinear, Scheme::kAffine}) {
    QuantizerSpec spec{.estimator = "ridge_trust", .format = Format::kInt2, .scheme = scheme,
                       .grid = GridStatistics::kGaussian};
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
  for (std::string name : {"block", "row", "tensor"})
    EXPECT_EQ(GranularityName(ParseGranularity(name).value()), name);
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

TEST(QuantSpecTest, TernaryPacksFiveCodesIntoAByte) { EXPECT_DOUBLE_EQ(CodeBits(Format::kTernary) * 5, 8); }

}  // namespace
}  // namespace ridgeline
