// SPDX-License-Identifier: Apache-2.0
#include "method/quantizer_spec.h"

#include <gtest/gtest.h>

namespace ridgeline {
namespace {

TEST(QuantizerSpecTest, EveryFormatNameReadsBackToItself) {
  for (const FormatTraits& traits : kFormats) EXPECT_EQ(ParseFormat(FormatName(traits.format)).value(), traits.format);
  EXPECT_EQ(EveryFormat().size() + 1, kFormats.size());
}

TEST(QuantizerSpecTest, UnknownNamesAreErrorsThatListTheChoices) {
  EXPECT_NE(std::string(ParseFormat("int9").status().message()).find("ternary"), std::string::npos);
  EXPECT_FALSE(ParseScheme("affin").ok());
  EXPECT_FALSE(ParseGridGradient("").ok());
}

TEST(QuantizerSpecTest, GridNamesReadBackAndOthersAreRefused) {
  for (std::string name : {"minmax", "gaussian"})
    EXPECT_EQ(GridStatisticsName(ParseGridStatistics(name).value()), name);
  EXPECT_NE(std::string(ParseGridStatistics("gauss").status().message()).find("gaussian"), std::string::npos);
}

TEST(QuantizerSpecTest, StoredScalesHaveSixteenBitsOrEight) {
  EXPECT_EQ(ParseStoredScales("float16").value(), ScalePrecision::kFloat16);
  EXPECT_EQ(ParseStoredScales("int8").value(), ScalePrecision::kInt8);
  EXPECT_FALSE(ParseStoredScales("computed").ok());
}

TEST(QuantizerSpecTest, GranularityNamesReadBackAndOthersAreRefused) {
  for (std::string name : {"block", "row", "tensor"}) EXPECT_EQ(GranularityName(ParseGranularity(name).value()), name);
  EXPECT_FALSE(ParseGranularity("channel").ok());
}

TEST(QuantizerSpecTest, GradientNamesReadBackAndOthersAreRefused) {
  for (std::string name : {"detached", "graph"}) EXPECT_EQ(GridGradientName(ParseGridGradient(name).value()), name);
  for (std::string name : {"own", "graph", "detached"})
    EXPECT_EQ(FitGradientName(ParseFitGradient(name).value()), name);
  EXPECT_EQ(ParseFitGradient("none").status().message(), "unknown fit_gradient 'none': use own, graph or detached");
}

TEST(QuantizerSpecTest, TernaryPacksFiveCodesIntoAByte) { EXPECT_DOUBLE_EQ(CodeBits(Format::kTernary) * 5, 8); }

}  // namespace
}  // namespace ridgeline
