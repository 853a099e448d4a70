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

TEST(QuantSpecTest, TernaryPacksFiveCodesIntoAByte) { EXPECT_DOUBLE_EQ(CodeBits(Format::kTernary) * 5, 8); }

}  // namespace
}  // namespace ridgeline
