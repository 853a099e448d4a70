// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/packed_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "method/every_spec.h"
#include "model/blueprint/shards.h"
#include "model/gpt.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr int64_t kRanks = 3;

std::unique_ptr<Gpt> SmallGpt(const QuantizerSpec& weight, at::ScalarType dtype, int64_t rank, int64_t ranks) {
  ModelOptions options;
  options.weight = weight;
  options.compute_dtype = dtype;
  options.shard_rank = rank;
  options.shard_ranks = ranks;
  const GptConfig config{.n_layers = 1, .dim = 64, .n_heads = 2, .vocab_size = 50, .seq_len = 8};
  return Gpt::Create(config, options, 1).value();
}

// What layers would compute with, of rows that three ranks have, quantize and send.
at::Tensor Sent(const std::vector<std::unique_ptr<Gpt>>& models, size_t parameter, at::ScalarType dtype) {
  const Parameter& whole = models[0]->parameters()[parameter];
  at::Tensor compute = at::empty(whole.shape->sizes, at::dtype(dtype));
  for (const std::unique_ptr<Gpt>& model : models) {
    Parameter& own = model->parameters()[parameter];
    const int64_t size = GatherBytes(own.quantizer.spec, own.sharing.own_rows.count(), own.shape->columns(),
                                     static_cast<int64_t>(c10::elementSize(dtype)));
    const at::Tensor bytes = at::empty({size + 1}, at::kByte).narrow(0, 1, size);  // They may begin anywhere.
    WriteOwnRows(&own, dtype, bytes);
    ReadRows(bytes, own, own.sharing.own_rows, compute);
  }
  return compute;
}

TEST(PackedRowsTest, ArriveAsWhatARankThatHoldsAllOfThemComputesWithBitForBit) {
  const std::vector<QuantizerSpec> specs =
      EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.is_defined_for(Side::kWeight); },
                 .granularities = {Granularity::kBlock, Granularity::kRow, Granularity::kTensor},
                 .rotations = {{}, {true, true}},
                 .sparsities = {{}, {2, 4}},
                 .scale_precisions = {ScalePrecision::kComputed, ScalePrecision::kFloat16, ScalePrecision::kInt8},
                 .block = 16});
  int64_t as_codes = 0, as_numbers = 0;
  for (size_t spec = 0; spec < specs.size(); ++spec) {
    SCOPED_TRACE(DescribeSpec(specs[spec]));
    const at::ScalarType dtype = spec % 2 == 0 ? at::kFloat : at::kBFloat16;
    const std::unique_ptr<Gpt> whole = SmallGpt(specs[spec], dtype, 0, 1);
    std::vector<std::unique_ptr<Gpt>> models;
    for (int64_t rank = 0; rank < kRanks; ++rank) models.push_back(SmallGpt(specs[spec], dtype, rank, kRanks));
    for (size_t i = 0; i < whole->parameters().size(); ++i) {
      const Parameter& parameter = whole->parameters()[i];
      if (!parameter.shape->is_weight_matrix()) continue;
      EXPECT_TRUE(at::equal(Sent(models, i, dtype), parameter.compute)) << parameter.name;
      (TravelsAsCodes(parameter.quantizer.spec, 1, parameter.shape->columns()) ? as_codes : as_numbers) += 1;
    }
  }
  EXPECT_GT(as_codes, 1000);
  EXPECT_GT(as_numbers, 1000);
}

TEST(PackedRowsTest, MastersOfSharedModelsAreRowsOfTheWholeOne) {
  const std::unique_ptr<Gpt> whole = SmallGpt({}, at::kFloat, 0, 1);
  for (int64_t rank = 0; rank < kRanks; ++rank) {
    const std::unique_ptr<Gpt> model = SmallGpt({}, at::kFloat, rank, kRanks);
    for (size_t i = 0; i < whole->parameters().size(); ++i) {
      const Parameter& own = model->parameters()[i];
      EXPECT_EQ(own.sharing.is_shared, own.shape->is_weight_matrix());
      EXPECT_TRUE(at::equal(own.master, whole->parameters()[i].master.narrow(0, own.sharing.own_rows.begin,
                                                                             own.sharing.own_rows.count())));
      EXPECT_EQ(own.compute.defined(), !own.sharing.is_shared) << "nothing is whole before it is gathered";
    }
  }
}

}  // namespace
}  // namespace ridgeline
