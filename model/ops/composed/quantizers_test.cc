// SPDX-License-Identifier: Apache-2.0
// Every quantizer of the method table in LibTorch's operations, in float32, beside the CPU's kernels: values, and what
// they pass back.
#include <gtest/gtest.h>

#include "method/every_spec.h"
#include "method/problems.h"
#include "method/resolved_spec.h"
#include "model/ops/ops.h"
#include "quant/autograd/learned_scale.h"
#include "quant/autograd/torch_pch.h"

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

// Of a weight's two halves, and of an input in the graph.
void Compare(const QuantizerSpec& spec, const at::Tensor& x, const at::Tensor& v, Apart* apart) {
  at::Tensor values[2], gradients[2], inputs[2];
  for (const int i : {0, 1}) {
    const Ops& ops = i == 0 ? ComposedOps() : CpuOps();
    at::Tensor saved;
    values[i] = at::empty_like(x);
    ops.QuantizeInto(x, spec, values[i], &saved);
    gradients[i] = at::empty_like(x);
    ops.QuantizedGradient(x, saved, v, spec, gradients[i]);
    const at::Tensor leaf = x.clone().requires_grad_(true);
    torch::autograd::backward({ops.FakeQuantize(leaf * 1, spec)}, {v});
    inputs[i] = leaf.grad();
  }
  apart->Count(values[0], values[1], spec, "values");
  apart->Count(gradients[0], gradients[1], spec, "gradients");
  apart->Count(inputs[0], inputs[1], spec, "gradients of an input");
}

void CompareEach(const std::vector<QuantizerSpec>& specs) {
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

TEST(ComposedQuantizersTest, EveryGridOfEveryFormatIsTheKernels) { CompareEach(EverySpec({})); }

// What rows of codes may have.
const std::vector<Format> kPlainFormats = {Format::kInt1, Format::kInt2, Format::kInt4, Format::kInt8,
                                           Format::kTernary};

bool HasSharedGrid(const EstimatorTraits& traits) { return traits.has_shared_grid(); }

TEST(ComposedQuantizersTest, SoAreThoseOfRowsAndOfTheTensor) {
  CompareEach(EverySpec({.estimators = HasSharedGrid,
                         .formats = kPlainFormats,
                         .grid_gradients = {GridGradient::kDetached},
                         .granularities = {Granularity::kRow, Granularity::kTensor}}));
}

TEST(ComposedQuantizersTest, SoAreRotatedBlocks) {
  CompareEach(EverySpec({.estimators = HasSharedGrid,
                         .formats = {Format::kInt1, Format::kInt4, Format::kTernary, Format::kFp4},
                         .grid_gradients = {GridGradient::kDetached},
                         .rotations = {{.hadamard = true},
                                       {.hadamard = true, .signs = true},
                                       {.hadamard = true, .stays = true},
                                       {.hadamard = true, .signs = true, .stays = true}},
                         .block = 32}));
}

TEST(ComposedQuantizersTest, SoIsWhatIsPruned) {
  CompareEach(EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.prunes; },
                         .schemes = {Scheme::kLinear},
                         .grid_gradients = {GridGradient::kDetached},
                         .sparsities = {{2, 4}, {1, 4}}}));
}

TEST(ComposedQuantizersTest, SoAreScalesAsFilesHaveThem) {
  CompareEach(EverySpec({.estimators = HasSharedGrid,
                         .formats = kPlainFormats,
                         .grid_gradients = {GridGradient::kDetached},
                         .scale_precisions = {ScalePrecision::kFloat16}}));
}

TEST(ComposedQuantizersTest, SoAreRegressionsHeldStill) {
  CompareEach(
      EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.decoding == Decoding::kRidge; },
                 .fit_gradients = {FitGradient::kDetached, FitGradient::kGraph}}));
}

TEST(ComposedQuantizersTest, ANumberThatIsNotFiniteMakesItsBlockNan) {
  at::Tensor x = Numbers(), v = at::ones_like(x);
  x[7][3] = NAN;
  x[8][100] = INFINITY;
  for (const QuantizerSpec& spec :
       EverySpec({.estimators = HasSharedGrid, .grid_gradients = {GridGradient::kDetached}})) {
    at::Tensor composed = at::empty_like(x), fused = at::empty_like(x);
    ComposedOps().QuantizeInto(x, spec, composed, nullptr);
    CpuOps().QuantizeInto(x, spec, fused, nullptr);
    EXPECT_TRUE(at::equal(composed.isnan(), fused.isnan())) << DescribeSpec(spec);
  }
}

TEST(ComposedQuantizersTest, LearnedScalesAreTheKernels) {
  const at::Tensor x = Numbers(), v = at::randn({24, 160}, at::detail::createCPUGenerator(12));
  int compared = 0;
  for (const ScalePrecision precision : {ScalePrecision::kComputed, ScalePrecision::kFloat16})
    for (const QuantizerSpec& spec :
         EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.learns_scale(); },
         .scale_precisions = {precision}})) {
      const at::Tensor scale = InitialScale(x, spec) * 0.9;
      const LearnedQuantizerGradients a = ComposedOps().LearnedGradients(x, v, scale, spec, 160),
                                      b = CpuOps().LearnedGradients(x, v, scale, spec, 160);
      Apart apart;
      apart.Count(ComposedOps().FakeQuantizeLearned(x, scale, spec, 160),
                  CpuOps().FakeQuantizeLearned(x, scale, spec, 160), spec, "values");
      apart.Count(a.x, b.x, spec, "gradients");
      EXPECT_LE((a.scale - b.scale).abs().max().item<double>(), 1e-4 * b.scale.abs().max().item<double>())
          << DescribeSpec(spec);
      ++compared;
    }
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace ridgeline
