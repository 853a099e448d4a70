// SPDX-License-Identifier: Apache-2.0
#include "plan/units.h"

#include <gtest/gtest.h>

#include "model/blueprint/model_config.h"

namespace ridgeline {
namespace {

constexpr int64_t kBlocks = 3, kWidth = 64, kWords = 65, kPositions = 32;

ParameterList Network(const Quantizers& quantizers = {}) {
  return WithLearned(
      ParametersOf(GptConfig{.n_layers = kBlocks, .dim = kWidth, .vocab_size = kWords, .seq_len = kPositions}),
      quantizers);
}

Quantizers Int4(Granularity granularity = Granularity::kBlock) {
  Quantizers quantizers;
  quantizers.weight = {.estimator = "ridge_trust", .format = Format::kInt4, .granularity = granularity};
  quantizers.weight.block = 32;
  quantizers.weight.grid = GridStatistics::kGaussian;
  quantizers.weight.scale_precision = ScalePrecision::kFloat16;
  return quantizers;
}

TEST(UnitsTest, EveryMatrixIsInTheUnitOfItsBlockAndVectorsAreWholeOnEveryRank) {
  const SharedModel model = ShareOf(Network(), {}, 3, {});
  ASSERT_EQ(model.blocks(), kBlocks);
  EXPECT_EQ(model.outer().unit, kOuterUnit);
  EXPECT_EQ(model.outer().numbers, (kWords + kPositions) * kWidth);
  int64_t shared = model.outer().numbers, all = 0, held = 0;
  for (int64_t i = 0; i < kBlocks; ++i) {
    EXPECT_EQ(model.block(i).unit, i);
    EXPECT_EQ(model.block(i).numbers, 12 * kWidth * kWidth);
    shared += model.block(i).numbers;
  }
  for (const ParameterShape& parameter : Network()) all += parameter.elements();
  for (const RankHolding& rank : model.ranks) held += rank.numbers;
  EXPECT_EQ(held, shared);
  EXPECT_EQ(model.whole_numbers, all - shared);
}

TEST(UnitsTest, WhatIsNotQuantizedTravelsInTheComputeDtype) {
  for (const int64_t bytes : {2, 4}) {
    const SharedModel model = ShareOf(Network(), {}, 2, {.number_bytes = bytes});
    EXPECT_EQ(model.block(0).whole.gather_bytes, bytes * model.block(0).numbers);
    EXPECT_EQ(model.block(0).GatherSent(0), bytes * model.block(0).numbers / 2);
    EXPECT_EQ(model.ranks[0].code_bytes, 0);
  }
}

// Blocks of 32 numbers: 16 bytes of codes, a scale and an offset.
TEST(UnitsTest, WhatIsQuantizedTravelsAsItsPackedBytes) {
  const SharedModel model = ShareOf(Network(Int4()), Int4(), 4, {.number_bytes = 2});
  const int64_t codes = model.block(0).numbers / 32 * (16 + 2 + 2);
  EXPECT_EQ(model.block(0).whole.gather_bytes, codes);
  EXPECT_EQ(model.block(0).MostGatherSent(), 3 * codes / 4);
  EXPECT_EQ(model.outer().whole.gather_bytes, 2 * model.outer().numbers);
  EXPECT_EQ(model.ranks[1].code_bytes, kBlocks * codes / 4);
  EXPECT_EQ(model.ranks[1].saved_bytes, kBlocks * model.block(0).numbers / 4 / 8);  // A bit a number.
}

TEST(UnitsTest, AGradientGoesToEachOwnerOnce) {
  const SharedModel model = ShareOf(Network(), {}, 3, {.gradient_dtype = "bfloat16"});
  for (const SharedUnit& unit : model.units) {
    int64_t sent = 0, received = 0;
    for (size_t rank = 0; rank < 3; ++rank) {
      sent += unit.GradientSent(rank);
      received += unit.GradientReceived(rank);
    }
    EXPECT_EQ(sent, 2 * unit.whole.gradient_bytes);
    EXPECT_EQ(received, sent);
  }
}

TEST(UnitsTest, GradientsTakeTheBytesOfTheirDtype) {
  EXPECT_EQ(GradientWireBytes("float32", 257), 4 * 257);
  EXPECT_EQ(GradientWireBytes("bfloat16", 256), 512);
  EXPECT_EQ(GradientWireBytes("bfloat16", 257), 516);
  EXPECT_EQ(GradientWireBytes("int8", 256), 256 + 2 * 4);
  EXPECT_EQ(GradientWireBytes("int8", 257), 260 + 3 * 4);
  EXPECT_EQ(GradientWireBytes("int8", 0), 0);
}

TEST(UnitsTest, ARankThatOwnsAMatrixWholeSendsAllOfIt) {
  const Quantizers quantizers = Int4(Granularity::kTensor);
  const SharedModel model = ShareOf(Network(quantizers), quantizers, 4, {});
  EXPECT_GT(model.block(0).MostGatherSent(), 3 * model.block(0).whole.gather_bytes / 4) << "an even share";
  int64_t held = 0, shared = 0;
  for (const RankHolding& rank : model.ranks) held += rank.numbers;
  for (const SharedUnit& unit : model.units) shared += unit.numbers;
  EXPECT_EQ(held, shared);
}

TEST(UnitsTest, ScalesThatAreLearnedForRowsAreOnTheRanksOfTheirRows) {
  Quantizers quantizers;
  quantizers.weight = {.estimator = "post", .format = Format::kInt4, .scheme = Scheme::kLinear};
  quantizers.weight.granularity = Granularity::kRow;
  quantizers.weight.scale_precision = ScalePrecision::kFloat16;
  const SharedModel plain = ShareOf(Network(), {}, 2, {}), learned = ShareOf(Network(quantizers), quantizers, 2, {});
  EXPECT_EQ(learned.whole_numbers, plain.whole_numbers);
  EXPECT_EQ(learned.ranks[0].numbers - plain.ranks[0].numbers, kBlocks * 9 * kWidth / 2);
}

}  // namespace
}  // namespace ridgeline
