// SPDX-License-Identifier: Apache-2.0
#include "quant/codes/code_book.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "method/every_spec.h"

namespace ridgeline {
namespace {

CodeBook BookOf(const std::string& estimator, Format format, Scheme scheme = Scheme::kLinear) {
  QuantizerSpec spec{.estimator = estimator, .format = format, .scheme = scheme};
  if (OwnBlock(format) > 0) spec.block = OwnBlock(format);
  if (spec.learns_scale()) spec.granularity = Granularity::kRow;
  if (estimator == "bi_adapter") spec.grid_gradient = GridGradient::kGraph;
  absl::StatusOr<CodeBook> book = CodeBookOf(spec);
  EXPECT_TRUE(book.ok()) << book.status();
  return *std::move(book);
}

using Levels = std::vector<float>;

TEST(CodeBookTest, CodesOfIntegersCountFromTheLowestLevel) {
  EXPECT_EQ(BookOf("ste", Format::kInt2, Scheme::kAffine).levels(), (Levels{0, 1, 2, 3}));
  EXPECT_EQ(BookOf("ste", Format::kInt2).levels(), (Levels{-1.5, -0.5, 0.5, 1.5}));
  EXPECT_EQ(BookOf("ste", Format::kInt1).levels(), (Levels{-1, 1}));
  EXPECT_EQ(BookOf("ste", Format::kTernary).levels(), (Levels{-1, 0, 1}));
}

TEST(CodeBookTest, EstimatorsWithIntegersOfTheirOwnHaveTwosComplement) {
  EXPECT_EQ(BookOf("torchao", Format::kInt2).levels(), (Levels{0, 1, -2, -1}));
  EXPECT_EQ(BookOf("gaussws", Format::kInt3).levels(), (Levels{0, 1, 2, 3, -4, -3, -2, -1}));
  EXPECT_EQ(BookOf("lsq", Format::kInt2).levels(), (Levels{0, 1, -2, -1}));
  EXPECT_EQ(BookOf("bi_adapter", Format::kInt1, Scheme::kAffine).levels(), (Levels{-1, 1}));
  EXPECT_EQ(BookOf("bitnet", Format::kTernary).levels(), (Levels{-1, 0, 1}));
}

TEST(CodeBookTest, FloatingPointCodesAreTheBitsOfTheirElement) {
  const Levels e2m1 = {0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6};
  EXPECT_EQ(BookOf("ste", Format::kMxFp4).levels(), e2m1);
  const Levels e4m3 = BookOf("ste", Format::kFp8E4M3).levels();
  EXPECT_EQ(e4m3[0x01], 0x1p-9f);
  EXPECT_EQ(e4m3[0x38], 1);
  EXPECT_EQ(e4m3[0x7E], 448);
  EXPECT_TRUE(std::isnan(e4m3[0x7F]));
  const Levels e5m2 = BookOf("ste", Format::kFp8E5M2).levels();
  EXPECT_EQ(e5m2[0x7B], 57344);
  EXPECT_TRUE(std::isnan(e5m2[0x7C]));
}

TEST(CodeBookTest, BitModHasItsOwnLevelWhereMinusZeroWouldBe) {
  const CodeBook book = BookOf("ste", Format::kBitModFp3);
  EXPECT_EQ(book.extra_code(), 4);
  EXPECT_EQ(book.levels(), (Levels{0, 1, 2, 4, 0, -1, -2, -4}));
}

TEST(CodeBookTest, EveryLevelOfEveryBookHasTheCodeThatStandsForIt) {
  for (const QuantizerSpec& spec :
       EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.is_defined_for(Side::kWeight); }})) {
    const CodeBook book = *CodeBookOf(spec);
    int unused = 0;
    for (size_t code = 0; code < book.levels().size(); ++code) {
      const float level = book.levels()[code];
      const bool is_minus_zero = level == 0 && code > 0 && book.levels()[0] == 0;
      unused += std::isnan(level) || is_minus_zero;
      if (std::isnan(level)) continue;
      EXPECT_EQ(book.CodeOf(level), is_minus_zero ? 0 : code) << DescribeSpec(spec);
    }
    EXPECT_LE(unused, 9) << DescribeSpec(spec);  // E5M2 leaves its infinities and NaNs.
  }
}

TEST(CodeBookTest, WhatHasNoCodesIsRefusedWithARemedy) {
  EXPECT_FALSE(CodeBookOf({}).ok());
  const absl::Status asq =
      CodeBookOf({.estimator = "asq", .format = Format::kInt4, .scheme = Scheme::kLinear}).status();
  EXPECT_NE(asq.message().find("activation"), std::string::npos) << asq;
}

}  // namespace
}  // namespace ridgeline
