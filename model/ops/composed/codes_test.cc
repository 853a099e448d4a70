// SPDX-License-Identifier: Apache-2.0
// Rows as codes: what each quantizer that has them sends is what it makes of its rows, and composed equals fused.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <vector>

#include "method/estimator_traits.h"
#include "method/every_spec.h"
#include "model/blueprint/shards.h"
#include "model/ops/composed/block_codes.h"
#include "model/ops/ops.h"
#include "quant/autograd/learned_scale.h"
#include "quant/autograd/torch_pch.h"
#include "quant/kernels/sum_order.h"

namespace ridgeline {
namespace {

constexpr int64_t kRows = 70, kColumns = 64;  // More rows than a thread takes at once.
constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

// Those that differ in their gradient alone are left out.
std::vector<QuantizerSpec> Travelling(std::vector<QuantizerSpec> specs, int64_t rows, int64_t columns) {
  std::erase_if(specs, [&](const QuantizerSpec& spec) {
    const bool may_be_detached = !FindEstimatorTraits(spec.estimator)->grid_gradient.has_value();
    return !TravelsAsCodes(spec, rows, columns) || (may_be_detached && spec.grid_gradient == GridGradient::kGraph);
  });
  return specs;
}

SpecAxes WeightAxes(int64_t block) {
  return {.estimators = [](const EstimatorTraits& traits) { return traits.is_defined_for(Side::kWeight); },
          .granularities = {Granularity::kBlock, Granularity::kRow, Granularity::kTensor},
          .rotations = {{}, {true, true}, {true, false, true}},
          .sparsities = {{}, {2, 4}},
          .scale_precisions = {ScalePrecision::kFloat16, ScalePrecision::kInt8},
          .block = block};
}

// Noise rounds.
std::vector<QuantizerSpec> EveryOneThatTravelsAsCodes(int64_t rows = kRows, int64_t columns = kColumns,
                                                      int64_t block = 16) {
  std::vector<QuantizerSpec> specs = EverySpec(WeightAxes(block));
  for (QuantizerSpec& spec : specs) spec.hard_rounding = spec.adds_noise();
  return Travelling(specs, rows, columns);
}

// Of each kind of grid and element one, or a few: what they are coded as does not depend on how long blocks are.
std::vector<QuantizerSpec> OneOfEachKind(int64_t rows, int64_t columns, int64_t block) {
  constexpr Format kKinds[] = {Format::kInt1,    Format::kInt3,  Format::kInt8,  Format::kTernary,
                               Format::kFp6E3M2, Format::kMxFp4, Format::kNvFp4, Format::kBitModFp3};
  std::vector<QuantizerSpec> specs = EveryOneThatTravelsAsCodes(rows, columns, block);
  std::erase_if(specs, [&](const QuantizerSpec& spec) {
    return std::find(std::begin(kKinds), std::end(kKinds), spec.format) == std::end(kKinds) || spec.stays_rotated ||
           spec.scale_precision == ScalePrecision::kInt8;
  });
  return specs;
}

at::Tensor Normal(int64_t rows, int64_t columns, uint64_t seed = 3) {
  return at::randn({rows, columns}, at::detail::createCPUGenerator(seed));
}

// Rows in trouble among ordinary ones, and rows of other sizes.
at::Tensor InTrouble(int64_t rows, int64_t columns) {
  const at::Tensor x = Normal(rows, columns, 5);
  const std::vector<float> wholes = {0, -0.0f, 1, -2.5f, 1e-38f, 1e-42f, 3e38f};
  const std::vector<float> parts = {kNan, kInfinity, -kInfinity, 3e38f, 0};
  int64_t row = 0;
  for (const float whole : wholes)
    if (row < rows) x[row++].fill_(whole);
  for (const float part : parts)
    if (row < rows) x[row++][columns / 2] = part;
  for (const double factor : {1e-37, 1e-33, 1e-25, 1e-12, 1e5, 1e18, 1e25, 1e36})
    if (row < rows) x[row++].mul_(factor);
  if (row < rows) x[row++].add_(1000);  // A mean that is large beside the spread.
  if (row < rows) x[row++].sign_();     // Ties everywhere.
  return x;
}

// What a spec that learns scales has them begin with.
std::optional<at::Tensor> ScalesOf(const at::Tensor& x, const QuantizerSpec& spec) {
  if (!spec.learns_scale()) return std::nullopt;
  return InitialScale(x.nan_to_num(0, 0, 0), spec);
}

// Within bytes that other rows share, from an odd one on.
at::Tensor Encoded(const Ops& ops, const at::Tensor& x, const QuantizerSpec& spec,
                   const std::optional<at::Tensor>& scales) {
  const int64_t size = GatherBytes(spec, x.size(0), x.size(1), sizeof(float));
  const at::Tensor all = at::full({size + 4}, 0xA5, at::kByte);
  at::Tensor bytes = all.narrow(0, 3, size);
  ops.EncodeRows(x, spec, scales, bytes);
  EXPECT_EQ(all[2].item<int>(), 0xA5);
  EXPECT_EQ(all[3 + size].item<int>(), 0xA5) << "more is written than GatherBytes says";
  return bytes;
}
at::Tensor Encoded(const Ops& ops, const at::Tensor& x, const QuantizerSpec& spec) {
  return Encoded(ops, x, spec, ScalesOf(x, spec));
}

at::Tensor Decoded(const Ops& ops, const at::Tensor& bytes, const QuantizerSpec& spec, at::ScalarType dtype,
                   int64_t rows = kRows, int64_t columns = kColumns) {
  at::Tensor decoded = at::empty({rows, columns}, dtype);
  ops.DecodeRows(bytes, spec, decoded);
  return decoded;
}

// The same bits, but for those of a NaN.
bool SameNumbers(const at::Tensor& a, const at::Tensor& b) {
  const at::ScalarType bits = a.scalar_type() == at::kFloat ? at::kInt : at::kShort;
  return a.view(bits).eq(b.view(bits)).logical_or(a.isnan().logical_and(b.isnan())).all().item<bool>();
}

void ExpectComposedEqualsFused(const at::Tensor& x, const QuantizerSpec& spec,
                               const std::optional<at::Tensor>& scales) {
  SCOPED_TRACE(DescribeSpec(spec));
  const at::Tensor bytes = Encoded(CpuOps(), x, spec, scales);
  const at::Tensor composed = Encoded(ComposedOps(), x, spec, scales);
  EXPECT_TRUE(at::equal(composed, bytes))
      << composed.ne(bytes).sum().item<int64_t>() << " of " << bytes.numel() << " bytes differ, the first at "
      << composed.ne(bytes).to(at::kInt).argmax().item<int64_t>();
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
    EXPECT_TRUE(SameNumbers(Decoded(ComposedOps(), bytes, spec, dtype, x.size(0), x.size(1)),
                            Decoded(CpuOps(), bytes, spec, dtype, x.size(0), x.size(1))));
}

void ExpectComposedEqualsFused(const at::Tensor& x, const QuantizerSpec& spec) {
  ExpectComposedEqualsFused(x, spec, ScalesOf(x, spec));
}

TEST(CodesOpsTest, ComposedRowsHaveTheBytesAndNumbersOfFusedOnesInEveryFormatThatHasCodes) {
  const at::Tensor x = Normal(kRows, kColumns);
  const std::vector<QuantizerSpec> specs = EveryOneThatTravelsAsCodes();
  ASSERT_GT(specs.size(), 500);
  for (const QuantizerSpec& spec : specs) ExpectComposedEqualsFused(x, spec);
}

// Blocks shorter than a vector, of a vector and some numbers, of several rounds of all chains; and short ones at the
// rows' ends.
TEST(CodesOpsTest, ComposedRowsHaveTheBytesOfFusedOnesInBlocksAndRowsOfAnyLength) {
  struct Size {
    int64_t rows, columns, block;
  };
  for (const auto& [rows, columns, block] :
       std::vector<Size>{{3, 24, 8}, {5, 37, 16}, {2, 97, 20}, {4, 1, 2}, {3, 640, 128}, {2, 331, 256}}) {
    SCOPED_TRACE(testing::Message() << rows << " x " << columns);
    const at::Tensor x = Normal(rows, columns, 8);
    for (const QuantizerSpec& spec : OneOfEachKind(rows, columns, block)) ExpectComposedEqualsFused(x, spec);
  }
}

TEST(CodesOpsTest, ComposedRowsInTroubleHaveTheBytesOfFusedOnes) {
  const at::Tensor x = InTrouble(kRows, kColumns);
  for (const QuantizerSpec& spec : EveryOneThatTravelsAsCodes()) ExpectComposedEqualsFused(x, spec);
  const at::Tensor long_rows = InTrouble(24, 256);
  for (const QuantizerSpec& spec : EveryOneThatTravelsAsCodes(24, 256, 128)) ExpectComposedEqualsFused(long_rows, spec);
}

TEST(CodesOpsTest, ComposedSparseGroupsHaveTheBytesOfFusedOnes) {
  for (const SparsityPattern sparsity :
       {SparsityPattern{1, 2}, {1, 4}, {3, 4}, {2, 5}, {4, 8}, {7, 8}, {3, 13}, {8, 16}, {1, 32}, {16, 32}, {31, 32}}) {
    SCOPED_TRACE(testing::Message() << sparsity.n << ':' << sparsity.m);
    const int64_t columns = 7 * int64_t{sparsity.m};
    SpecAxes axes = WeightAxes(2 * sparsity.m);
    axes.estimators = [](const EstimatorTraits& traits) { return traits.name == "ste" || traits.name == "ridge"; };
    axes.granularities = {Granularity::kBlock};
    axes.rotations = {{}};
    axes.sparsities = {sparsity};
    axes.formats = {Format::kInt1, Format::kTernary, Format::kInt3, Format::kInt8, Format::kFp4};
    for (const QuantizerSpec& spec : Travelling(EverySpec(axes), 9, columns)) {
      ExpectComposedEqualsFused(Normal(9, columns, 7), spec);
      ExpectComposedEqualsFused(InTrouble(20, columns), spec);
    }
  }
}

TEST(CodesOpsTest, LearnedScalesThatAreNoneHaveTheBytesOfFusedOnes) {
  const at::Tensor x = InTrouble(kRows, kColumns);
  for (const QuantizerSpec& spec : EveryOneThatTravelsAsCodes()) {
    if (!spec.learns_scale()) continue;
    const at::Tensor scales = ScalesOf(x, spec)->clone();
    for (const float bad : {kNan, kInfinity, 0.0f, -1.0f, 1e-7f, 1e6f}) {
      scales[0][0] = bad;
      ExpectComposedEqualsFused(x, spec, scales);
    }
  }
}

TEST(CodesOpsTest, MoreRowsThanAreWorkedOnAtOnceHaveTheBytesOfFusedOnes) {
  const at::Tensor x = Normal(1'030, 4'100);
  for (const char* estimator : {"ste", "ridge"})
    ExpectComposedEqualsFused(x, {.estimator = estimator,
                                  .format = Format::kInt3,
                                  .scheme = Scheme::kAffine,
                                  .scale_precision = ScalePrecision::kFloat16});
}

// On `meta` a tensor of another device is an error, and so is each number that the host would read.
TEST(CodesOpsTest, CodesStayOnTheirDeviceWhereTheSpecSaysSo) {
  const at::TensorOptions meta = at::TensorOptions(at::kMeta);
  int64_t on_device = 0, on_host = 0;
  for (const QuantizerSpec& spec : EveryOneThatTravelsAsCodes()) {
    SCOPED_TRACE(DescribeSpec(spec));
    const at::Tensor x = at::empty({kRows, kColumns}, meta);
    at::Tensor bytes = at::empty({GatherBytes(spec, kRows, kColumns, 4)}, meta.dtype(at::kByte));
    std::optional<at::Tensor> scales = ScalesOf(Normal(kRows, kColumns), spec);
    if (scales) scales = scales->to(at::kMeta);
    if (CodesAreMadeOnDevice(spec)) {
      ASSERT_NO_THROW(ComposedOps().EncodeRows(x, spec, scales, bytes));
      ++on_device;
    } else {
      EXPECT_THROW(ComposedOps().EncodeRows(x, spec, scales, bytes), c10::Error) << "it is not looked at";
      ++on_host;
    }
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      at::Tensor rows = at::empty({kRows, kColumns}, meta.dtype(dtype));
      ASSERT_NO_THROW(ComposedOps().DecodeRows(bytes, spec, rows));
    }
  }
  EXPECT_GT(on_device, 2 * on_host);
  EXPECT_GT(on_host, 0);
}

TEST(CodesOpsTest, OnlyBitModAndSumsOverATensorAreLeftToTheHost) {
  if (LanesOfSums() == 0) GTEST_SKIP() << "this machine's kernels have no vectors of 8 or 16 floats";
  for (const QuantizerSpec& spec : EveryOneThatTravelsAsCodes())
    EXPECT_TRUE(CodesAreMadeOnDevice(spec) || IsBitMod(spec.format) || spec.granularity == Granularity::kTensor)
        << DescribeSpec(spec);
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
