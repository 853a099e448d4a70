// SPDX-License-Identifier: Apache-2.0
#include "model/blueprint/shards.h"

#include <algorithm>
#include <numeric>

#include "gtest/gtest.h"
#include "model/blueprint/gemma3.h"
#include "model/blueprint/gpt.h"

namespace ridgeline {
namespace {

Quantizers Int4(Granularity granularity = Granularity::kBlock) {
  Quantizers quantizers;
  quantizers.weight = {.estimator = "ridge_trust", .format = Format::kInt4, .granularity = granularity};
  quantizers.weight.grid = GridStatistics::kGaussian;
  quantizers.weight.scale_precision = ScalePrecision::kFloat16;
  return quantizers;
}

ParameterList Gpt(const Quantizers& quantizers) {
  return WithLearned(ParametersOf(GptConfig{.n_layers = 3, .dim = 64, .vocab_size = 65, .seq_len = 32}), quantizers);
}

TEST(Shards, RowsOfEveryMatrixAreOnExactlyOneRankInOrder) {
  for (const Granularity granularity : {Granularity::kBlock, Granularity::kRow, Granularity::kTensor}) {
    const Quantizers quantizers = Int4(granularity);
    const ParameterList list = Gpt(quantizers);
    for (const int64_t ranks : {2, 3, 5, 6, 70}) {
      const std::vector<ParameterShards> shards = ShardsOf(list, quantizers, ranks);
      ASSERT_EQ(shards.size(), list.size());
      for (size_t i = 0; i < list.size(); ++i) {
        EXPECT_EQ(shards[i].is_shared(), list[i].is_weight_matrix()) << list[i].name;
        if (!shards[i].is_shared()) continue;
        ASSERT_EQ(std::ssize(shards[i].by_rank), ranks);
        int64_t next = 0;
        for (const RowRange& range : shards[i].by_rank) {
          EXPECT_EQ(range.begin, next) << list[i].name;
          EXPECT_GE(range.count(), 0);
          next = range.end;
        }
        EXPECT_EQ(next, list[i].rows()) << list[i].name;
      }
    }
  }
}

TEST(Shards, RanksThatDoNotDivideTheVocabularyDifferByARow) {
  for (const int64_t rows : {262144, 262208})
    for (const int64_t ranks : {3, 5, 6}) {
      const ParameterList list = {{.name = "embedding", .kind = ParameterKind::kEmbedding, .sizes = {rows, 8}}};
      const std::vector<RowRange> by_rank = ShardsOf(list, {}, ranks)[0].by_rank;
      const auto [least, most] = std::minmax_element(
          by_rank.begin(), by_rank.end(), [](const RowRange& a, const RowRange& b) { return a.count() < b.count(); });
      EXPECT_LE(most->count() - least->count(), 1) << rows << " rows on " << ranks;
    }
}

TEST(Shards, ATensorWithOneScaleIsOnOneRankAndTheRanksHaveLikeAmounts) {
  const Quantizers quantizers = Int4(Granularity::kTensor);
  const ParameterList list = Gpt(quantizers);
  const std::vector<ParameterShards> shards = ShardsOf(list, quantizers, 3);
  std::vector<int64_t> numbers(3, 0);
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i].kind == ParameterKind::kLinear) {
      EXPECT_EQ(std::count_if(shards[i].by_rank.begin(), shards[i].by_rank.end(),
                              [](const RowRange& range) { return range.count() > 0; }),
                1)
          << list[i].name;
    }
    for (size_t rank = 0; shards[i].is_shared() && rank < 3; ++rank)
      numbers[rank] += shards[i].by_rank[rank].count() * list[i].columns();
  }
  const int64_t largest = 4 * 64 * 64;  // Of the matrices.
  const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
  EXPECT_LE(*most - *least, largest);
}

TEST(Shards, ALearnedScaleIsWhereItsRowsAre) {
  for (const Granularity granularity : {Granularity::kRow, Granularity::kTensor}) {
    Quantizers quantizers = Int4(granularity);
    quantizers.weight.estimator = "lsq";
    quantizers.weight.scheme = Scheme::kLinear;
    const ParameterList list = Gpt(quantizers);
    const std::vector<ParameterShards> shards = ShardsOf(list, quantizers, 3);
    int scales = 0;
    for (size_t i = 0; i + 1 < list.size(); ++i) {
      if (list[i].kind != ParameterKind::kWeightScale) continue;
      ++scales;
      ASSERT_EQ(list[i].name, list[i + 1].name + ".scale");
      for (size_t rank = 0; rank < 3; ++rank) {
        const RowRange scale = shards[i].by_rank[rank], rows = shards[i + 1].by_rank[rank];
        EXPECT_EQ(scale.count(), granularity == Granularity::kRow ? rows.count() : int64_t{rows.count() > 0});
      }
    }
    EXPECT_EQ(scales, 3 * 4);
  }
}

TEST(Shards, OnOneRankEverythingIsWhole) {
  for (const ParameterShards& shards : ShardsOf(Gpt(Int4()), Int4(), 1)) EXPECT_FALSE(shards.is_shared());
}

TEST(Shards, CodesTravelWhereTheyDecodeToWhatIsTrained) {
  QuantizerSpec spec = Int4().weight;
  EXPECT_TRUE(TravelsAsCodes(spec, 16, 256));
  EXPECT_EQ(GatherBytes(spec, 16, 256, 2), 16 * (256 / 2 + 2 * 4));  // Two blocks of 128, each a scale and an offset.
  EXPECT_EQ(GatherBytes(spec, 0, 256, 2), 0);
  spec.scale_precision = ScalePrecision::kComputed;
  EXPECT_EQ(GatherBytes(spec, 16, 256, 2), 16 * 256 * 2);
  spec = Int4().weight;
  spec.estimator = "gaussws";
  spec.grid = GridStatistics::kMinMax;
  spec.scheme = Scheme::kLinear;
  EXPECT_FALSE(TravelsAsCodes(spec, 16, 256));
  spec.hard_rounding = true;
  EXPECT_TRUE(TravelsAsCodes(spec, 16, 256));
  EXPECT_EQ(GatherBytes({}, 3, 5, 4), 60);
}

}  // namespace
}  // namespace ridgeline
