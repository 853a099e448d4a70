// SPDX-License-Identifier: Apache-2.0
// Every quantizer of the method table in float32, composed and on a GPU, beside the CPU's kernels: values, and what
// they pass back.
#include <gtest/gtest.h>

#include "method/every_spec.h"
#include "method/problems.h"
#include "method/resolved_spec.h"
#include "model/ops/composed/other_ops.h"
#include "quant/autograd/learned_scale.h"

namespace ridgeline {
namespace {

// Of the largest number.
constexpr double kComposedTolerance = 1e-5;
// Rows of all in which a code at a threshold, or a scale between two float16, fell to the other side: sums are added in
// another order.
constexpr double kFlippedShare = 0.01;

// Rows with tails, one that is constant, one of zeros, and one with a spike.
at::Tensor Numbers() {
  at::Tensor x = at::randn({24, 160}, at::detail::createCPUGenerator(11));
  x[3].fill_(0.7);
  x[4].zero_();
  x[5][17] = 40;
  return x;
}

struct Apart {
  int64_t rows = 0, of = 0;  // That differ.
  void Count(const at::Tensor& a, const at::Tensor& b, const QuantizerSpec& spec, const char* of_what) {
    const std::string what = DescribeSpec(spec) + ": " + of_what;
    ASSERT_EQ(a.sizes(), b.sizes());
    const bool is_one_grid = spec.granularity == Granularity::kTensor;
    const at::Tensor extent = is_one_grid ? b.abs().amax() : b.abs().amax(1, true).clamp_min(1e-6);
    const at::Tensor differs = (a - b).abs().gt(kComposedTolerance * extent).any(1);
    EXPECT_TRUE(at::equal(a.isnan(), b.isnan())) << what;
    rows += differs.sum().item<int64_t>();
    of += differs.numel();
    // A row in which no code flipped but all differs would be another method.
    EXPECT_LE(differs.sum().item<int64_t>(), 3) << what;
  }
};

class QuantizersTest : public testing::TestWithParam<OtherOps> {
 protected:
  void SetUp() override {
    if (GetParam().lacks_its_device()) GTEST_SKIP() << "no GPU";
  }
  at::Tensor There(const at::Tensor& x) const { return x.to(GetParam().device); }
  void Compare(const QuantizerSpec& spec, const at::Tensor& x, const at::Tensor& v, Apart* apart) const;
  void CompareEach(const std::vector<QuantizerSpec>& specs) const;
};

// Of a weight's two halves, and of an input in the graph.
void QuantizersTest::Compare(const QuantizerSpec& spec, const at::Tensor& numbers, const at::Tensor& upstream,
                             Apart* apart) const {
  at::Tensor values[2], gradients[2], inputs[2];
  for (const int i : {0, 1}) {
    const Ops& ops = i == 0 ? GetParam().ops() : CpuOps();
    const at::Tensor x = i == 0 ? There(numbers) : numbers, v = i == 0 ? There(upstream) : upstream;
    at::Tensor saved;
    values[i] = at::empty_like(x);
    ops.QuantizeInto(x, spec, values[i], &saved);
    gradients[i] = at::empty_like(x);
    ops.QuantizedGradient(x, saved, v, spec, gradients[i]);
    const at::Tensor leaf = x.clone().requires_grad_(true);
    torch::autograd::backward({ops.FakeQuantize(leaf * 1, spec)}, {v});
    inputs[i] = leaf.grad();
  }
  apart->Count(values[0].cpu(), values[1], spec, "values");
  apart->Count(gradients[0].cpu(), gradients[1], spec, "gradients");
  apart->Count(inputs[0].cpu(), inputs[1], spec, "gradients of an input");
}

void QuantizersTest::CompareEach(const std::vector<QuantizerSpec>& specs) const {
  const at::Tensor x = Numbers(), v = at::randn({24, 160}, at::detail::createCPUGenerator(12));
  Apart apart;
  int compared = 0;
  for (const QuantizerSpec& spec : specs) {
    if (spec.learns_scale() || !ValidateFeatures(spec, x.size(1)).ok()) continue;
    Compare(spec, x, v, &apart);
    ++compared;
  }
  EXPECT_GT(compared, 0);
  EXPECT_LE(apart.rows, static_cast<int64_t>(kFlippedShare * static_cast<double>(apart.of))) << "of " << apart.of;
}

TEST_P(QuantizersTest, EveryGridOfEveryFormatIsTheKernels) { CompareEach(EverySpec({})); }

// What rows of codes may have.
const std::vector<Format> kPlainFormats = {Format::kInt1, Format::kInt2, Format::kInt4, Format::kInt8,
                                           Format::kTernary};

bool HasSharedGrid(const EstimatorTraits& traits) { return traits.has_shared_grid(); }

TEST_P(QuantizersTest, SoAreThoseOfRowsAndOfTheTensor) {
  CompareEach(EverySpec({.estimators = HasSharedGrid,
                         .formats = kPlainFormats,
                         .grid_gradients = {GridGradient::kDetached},
                         .granularities = {Granularity::kRow, Granularity::kTensor}}));
}

TEST_P(QuantizersTest, SoAreRotatedBlocks) {
  CompareEach(EverySpec({.estimators = HasSharedGrid,
                         .formats = {Format::kInt1, Format::kInt4, Format::kTernary, Format::kFp4},
                         .grid_gradients = {GridGradient::kDetached},
                         .rotations = {{.hadamard = true},
                                       {.hadamard = true, .signs = true},
                                       {.hadamard = true, .stays = true},
                                       {.hadamard = true, .signs = true, .stays = true}},
                         .block = 32}));
}

TEST_P(QuantizersTest, SoIsWhatIsPruned) {
  CompareEach(EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.prunes; },
                         .schemes = {Scheme::kLinear},
                         .grid_gradients = {GridGradient::kDetached},
                         .sparsities = {{2, 4}, {1, 4}}}));
}

TEST_P(QuantizersTest, SoAreScalesAsFilesHaveThem) {
  CompareEach(EverySpec({.estimators = HasSharedGrid,
                         .formats = kPlainFormats,
                         .grid_gradients = {GridGradient::kDetached},
                         .scale_precisions = {ScalePrecision::kFloat16}}));
}

TEST_P(QuantizersTest, SoAreRegressionsHeldStill) {
  CompareEach(
      EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.decoding == Decoding::kRidge; },
                 .fit_gradients = {FitGradient::kDetached, FitGradient::kGraph}}));
}

TEST_P(QuantizersTest, ANumberThatIsNotFiniteMakesItsBlockNan) {
  at::Tensor x = Numbers(), v = at::ones_like(x);
  x[7][3] = NAN;
  x[8][100] = INFINITY;
  for (const QuantizerSpec& spec :
       EverySpec({.estimators = HasSharedGrid, .grid_gradients = {GridGradient::kDetached}})) {
    at::Tensor composed = There(at::empty_like(x)), fused = at::empty_like(x);
    GetParam().ops().QuantizeInto(There(x), spec, composed, nullptr);
    CpuOps().QuantizeInto(x, spec, fused, nullptr);
    EXPECT_TRUE(at::equal(composed.isnan().cpu(), fused.isnan())) << DescribeSpec(spec);
  }
}

TEST_P(QuantizersTest, LearnedScalesAreTheKernels) {
  const at::Tensor x = Numbers(), v = at::randn({24, 160}, at::detail::createCPUGenerator(12));
  int compared = 0;
  for (const ScalePrecision precision : {ScalePrecision::kComputed, ScalePrecision::kFloat16})
    for (const QuantizerSpec& spec :
         EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.learns_scale(); },
         .scale_precisions = {precision}})) {
      const at::Tensor scale = InitialScale(x, spec) * 0.9;
      const LearnedQuantizerGradients a = GetParam().ops().LearnedGradients(There(x), There(v), There(scale), spec,
                                                                            160),
                                      b = CpuOps().LearnedGradients(x, v, scale, spec, 160);
      Apart apart;
      apart.Count(GetParam().ops().FakeQuantizeLearned(There(x), There(scale), spec, 160).cpu(),
                  CpuOps().FakeQuantizeLearned(x, scale, spec, 160), spec, "values");
      apart.Count(a.x.cpu(), b.x, spec, "gradients");
      EXPECT_LE((a.scale.cpu() - b.scale).abs().max().item<double>(), 1e-4 * b.scale.abs().max().item<double>())
          << DescribeSpec(spec);
      ++compared;
    }
  EXPECT_GT(compared, 0);
}

INSTANTIATE_TEST_SUITE_P(With, QuantizersTest, testing::ValuesIn(EveryOtherOps()),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace ridgeline
