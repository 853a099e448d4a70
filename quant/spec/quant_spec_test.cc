// SPDX-License-Identifier: Apache-2.0
#include "quant/spec/quant_spec.h"

#include <gtest/gtest.h>

namespace ridgeline {
namespace {

TEST(QuantSpecTest, EveryFormatNameReadsBackToItself) {
  for (std::string name : {"none", "int1", "int2", "int3", "int4", "int8", "ternary"})
    EXPECT_EQ(FormatName(ParseFormat(name).value()), name);
}

TEST(QuantSpecTest, UnknownNamesAreErrorsThatListTheChoices) {
  EXPECT_NE(std::string(ParseFormat("int5").status().message()).find("ternary"), std::string::npos);
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

TEST(QuantSpecTest, TernaryPacksFiveCodesIntoAByte) { EXPECT_DOUBLE_EQ(CodeBits(Format::kTernary) * 5, 8); }

}  // namespace
}  // namespace ridgeline
