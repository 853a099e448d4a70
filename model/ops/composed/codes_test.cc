// SPDX-License-Identifier: Apache-2.0
// Rows as codes: what each quantizer that has them sends is what it makes of its rows, and composed equals fused.
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "method/estimator_traits.h"
#include "method/every_spec.h"
#include "model/blueprint/shards.h"
#include "model/ops/ops.h"
#include "quant/autograd/learned_scale.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr int64_t kRows = 70, kColumns = 64;  // More rows than a thread takes at once.

std::vector<QuantizerSpec> EveryOneThatTravelsAsCodes() {
  std::vector<QuantizerSpec> specs;
  for (const QuantizerSpec& spec :
       EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.is_defined_for(Side::kWeight); },
       .granularities = {Granularity::kBlock, Granularity::kRow, Granularity::kTensor},
       .rotations = {{}, {true, true}, {true, false, true}},
       .sparsities = {{}, {2, 4}},
       .scale_precisions = {ScalePrecision::kFloat16, ScalePrecision::kInt8},
       .block = 16}))
    if (TravelsAsCodes(spec, kRows, kColumns)) specs.push_back(spec);
  return specs;
}

// What a spec that learns scales has them begin with.
std::optional<at::Tensor> ScalesOf(const at::Tensor& x, const QuantizerSpec& spec) {
  if (!spec.learns_scale()) return std::nullopt;
  return InitialScale(x, spec);
}

// Within bytes that other rows share, from an odd one on.
at::Tensor Encoded(const Ops& ops, const at::Tensor& x, const QuantizerSpec& spec) {
  const int64_t size = GatherBytes(spec, kRows, kColumns, sizeof(float));
  const at::Tensor all = at::full({size + 4}, 0xA5, at::kByte);
  at::Tensor bytes = all.narrow(0, 3, size);
  ops.EncodeRows(x, spec, ScalesOf(x, spec), bytes);
  EXPECT_EQ(all[2].item<int>(), 0xA5);
  EXPECT_EQ(all[3 + size].item<int>(), 0xA5) << "more is written than GatherBytes says";
  return bytes;
}

at::Tensor Decoded(const Ops& ops, const at::Tensor& bytes, const QuantizerSpec& spec, at::ScalarType dtype) {
  at::Tensor rows = at::empty({kRows, kColumns}, dtype);
  ops.DecodeRows(bytes, spec, rows);
  return rows;
}

TEST(CodesOpsTest, ComposedRowsHaveTheBytesAndNumbersOfFusedOnesInEveryFormatThatHasCodes) {
  const at::Tensor x = at::randn({kRows, kColumns}, at::detail::createCPUGenerator(3));
  const std::vector<QuantizerSpec> specs = EveryOneThatTravelsAsCodes();
  ASSERT_GT(specs.size(), 500);
  for (const QuantizerSpec& spec : specs) {
    SCOPED_TRACE(DescribeSpec(spec));
    const at::Tensor bytes = Encoded(CpuOps(), x, spec);
    EXPECT_TRUE(at::equal(Encoded(ComposedOps(), x, spec), bytes));
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
      EXPECT_TRUE(at::equal(Decoded(ComposedOps(), bytes, spec, dtype), Decoded(CpuOps(), bytes, spec, dtype)));
  }
}

TEST(CodesOpsTest, RowsDecodeToWhatTheQuantizerMakesOfThem) {
  const at::Tensor x = at::randn({kRows, kColumns}, at::detail::createCPUGenerator(4));
  for (const QuantizerSpec& spec : EveryOneThatTravelsAsCodes()) {
    if (spec.learns_scale()) continue;  // parallel/packed_rows_test.cc has those.
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      at::Tensor expected = at::empty({kRows, kColumns}, dtype);
      CpuOps().QuantizeInto(x, spec, expected, nullptr);
      EXPECT_TRUE(at::equal(Decoded(CpuOps(), Encoded(CpuOps(), x, spec), spec, dtype), expected))
          << DescribeSpec(spec);
    }
  }
}

TEST(CodesOpsTest, RowsThatAreNoneTakeNoBytesAndBytesThatDoNotFitAreRefused) {
  const QuantizerSpec spec{.estimator = "ste",
                           .format = Format::kInt4,
                           .scheme = Scheme::kAffine,
                           .block = 16,
                           .scale_precision = ScalePrecision::kFloat16};
  at::Tensor none = at::empty({0}, at::kByte), no_rows = at::empty({0, kColumns}),
             short_of_one = at::empty({7}, at::kByte);
  for (const Ops* ops : {&CpuOps(), &ComposedOps()}) {
    ops->EncodeRows(no_rows, spec, std::nullopt, none);
    ops->DecodeRows(none, spec, no_rows);
    EXPECT_THROW(ops->EncodeRows(at::zeros({1, kColumns}), spec, std::nullopt, short_of_one), c10::Error);
  }
}

}  // namespace
}  // namespace ridgeline
