// SPDX-License-Identifier: Apache-2.0
#include "quant/autograd/learned_scale.h"

#include <gtest/gtest.h>

#include "method/every_spec.h"
#include "quant/autograd/torch_pch.h"
#include "quant/testing/tensors_close.h"

namespace ridgeline {
namespace {

constexpr double kAgreesWithAutograd = 1e-10;  // In double.

std::vector<QuantizerSpec> EveryLearned() {
  return EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.learns_scale(); }});
}

TEST(FakeQuantizeLearnedTest, EveryRowThatLearnsAScaleIsTested) { EXPECT_GE(EveryLearned().size(), 60u); }

using Quantizer = at::Tensor (*)(const at::Tensor&, const at::Tensor&, const QuantizerSpec&, int64_t);

std::vector<at::Tensor> GradientsOf(Quantizer quantizer, const at::Tensor& x, const at::Tensor& scale,
                                    const at::Tensor& v, const QuantizerSpec& spec) {
  at::Tensor x_leaf = x.clone().requires_grad_(true), scale_leaf = scale.clone().requires_grad_(true);
  return torch::autograd::grad({quantizer(x_leaf, scale_leaf, spec, x.numel())}, {x_leaf, scale_leaf}, {v});
}

TEST(FakeQuantizeLearnedTest, ClosedFormAgreesWithTheAutogradTwinInXAndScale) {
  at::manual_seed(1);
  for (const QuantizerSpec& spec : EveryLearned()) {
    SCOPED_TRACE(DescribeSpec(spec));
    at::Tensor x = at::randn({2, 3, 50}, at::kDouble), v = at::randn({2, 3, 50}, at::kDouble);
    at::Tensor scale = InitialScale(x, spec) * 0.8;
    EXPECT_EQ(scale.size(0), spec.granularity == Granularity::kRow ? 6 : 1);
    at::Tensor x_hat = FakeQuantizeLearned(x, scale, spec, 50), twin = FakeQuantizeLearned_ref(x, scale, spec, 50);
    EXPECT_TRUE(AllNear(x_hat, twin, kAgreesWithAutograd));
    auto ours = GradientsOf(FakeQuantizeLearned, x, scale, v, spec);
    auto theirs = GradientsOf(FakeQuantizeLearned_ref, x, scale, v, spec);
    for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(AllNear(ours[i], theirs[i], kAgreesWithAutograd)) << i;
  }
}

TEST(FakeQuantizeLearnedTest, TheHalfApartFromAutogradPassesTheSameGradients) {
  at::manual_seed(3);
  for (const QuantizerSpec& spec : EveryLearned()) {
    SCOPED_TRACE(DescribeSpec(spec));
    at::Tensor x = at::randn({6, 50}), v = at::randn({6, 50}), scale = InitialScale(x, spec) * 0.8;
    scale[0][0] = 1e-6;  // Below the smallest scale, where nothing moves it.
    auto expected = GradientsOf(FakeQuantizeLearned, x, scale, v, spec);
    LearnedGradients passed = LearnedScaleGradients(x, v, scale, spec, x.numel());
    EXPECT_TRUE(at::equal(passed.x, expected[0]));
    EXPECT_TRUE(AllClose(passed.scale, expected[1], 1e-5));
    EXPECT_EQ(passed.scale[0][0].item<float>(), 0);
    at::Tensor rounded = v.to(at::kBFloat16);
    EXPECT_TRUE(at::equal(LearnedScaleGradients(x, rounded, scale, spec, 50).x,
                          LearnedScaleGradients(x, rounded.to(at::kFloat), scale, spec, 50).x));
  }
}

// Codes are stored with the scale as it is: what layers compute with must come of no other.
TEST(FakeQuantizeLearnedTest, HowManyNumbersShareAScaleChangesNoBitOfItsValue) {
  at::manual_seed(5);
  for (QuantizerSpec spec : EveryLearned()) {
    for (const ScalePrecision precision : {ScalePrecision::kComputed, ScalePrecision::kFloat16}) {
      spec.scale_precision = precision;
      SCOPED_TRACE(DescribeSpec(spec));
      const at::Tensor x = at::randn({4096, 4});
      const at::Tensor scale = InitialScale(x, spec) * (0.5 + at::rand({1}));
      const at::Tensor expected = FakeQuantizeLearned(x, scale, spec, 1);
      for (const int64_t numbers : {3, 50, 16384})
        EXPECT_TRUE(at::equal(FakeQuantizeLearned(x, scale, spec, numbers), expected)) << numbers;
    }
  }
}

TEST(FakeQuantizeLearnedTest, BFloat16IsComputedInFloat) {
  at::manual_seed(4);
  for (const QuantizerSpec& spec : EveryLearned()) {
    SCOPED_TRACE(DescribeSpec(spec));
    const at::Tensor x = at::randn({6, 50}).to(at::kBFloat16), v = at::randn({6, 50}).to(at::kBFloat16);
    const at::Tensor wide = x.to(at::kFloat), scale = InitialScale(wide, spec) * 0.8;
    const at::Tensor expected = FakeQuantizeLearned(wide, scale, spec, 50).to(at::kBFloat16);
    EXPECT_TRUE(at::equal(FakeQuantizeLearned(x, scale, spec, 50), expected));
    auto ours = GradientsOf(FakeQuantizeLearned, x, scale, v, spec);
    auto theirs = GradientsOf(FakeQuantizeLearned, wide, scale, v.to(at::kFloat), spec);
    EXPECT_TRUE(at::equal(ours[0].to(at::kFloat), theirs[0]));
    EXPECT_TRUE(at::equal(ours[1], theirs[1]));
  }
}

// Descending the squared error in the scale alone must find a better one than the start.
TEST(FakeQuantizeLearnedTest, TrainingTheScaleLowersTheError) {
  at::manual_seed(2);
  at::set_num_threads(1);  // Tensors this small would only wait for each other's threads.
  int count = 0;
  for (const QuantizerSpec& spec : EveryLearned()) {
    // Further levels of post's only crowd about zero: any scale is then as good.
    if (LearnedLevelsOf(spec)->kind == LevelKind::kPowersOfRootTwo && IntegerBits(spec.format) > 4) continue;
    ++count;
    SCOPED_TRACE(DescribeSpec(spec));
    at::Tensor x = at::randn({4, 256}), scale = (InitialScale(x, spec) * 1.3).requires_grad_(true);
    double first = 0, last = 0;
    for (int step = 0; step < 60; ++step) {
      at::Tensor loss = (FakeQuantizeLearned(x, scale, spec, 1) - x).square().mean();
      last = loss.item<double>();
      if (step == 0) first = last;
      at::Tensor gradient = torch::autograd::grad({loss}, {scale})[0];
      at::NoGradGuard no_grad;
      scale.sub_(0.01 * scale.detach() * gradient.sign());
    }
    EXPECT_LT(last, first);
  }
  EXPECT_GE(count, 50);
}

// docs/methods.md#lsq-paretoq-post-asq, of asq: a scale that a network computes for each token is a scale like any
// other.
TEST(FakeQuantizeLearnedTest, AScaleForEachTokenPassesItsGradientOn) {
  QuantizerSpec spec{.estimator = "lsq", .format = Format::kInt4, .scheme = Scheme::kLinear};
  spec.granularity = Granularity::kRow;
  at::Tensor x = at::randn({6, 32}, at::kDouble), weight = at::zeros({1}, at::kDouble).requires_grad_(true);
  at::Tensor scale = 0.2 * (1 + 0.5 * at::tanh(weight * x.std(1, true, true)));
  at::Tensor gradient = torch::autograd::grad({FakeQuantizeLearned(x, scale, spec, 32).square().sum()}, {weight})[0];
  EXPECT_NE(gradient.item<double>(), 0);
}

TEST(FakeQuantizeLearnedTest, AScaleOfAnotherShapeIsAnErrorThatNamesTheRows) {
  QuantizerSpec spec{.estimator = "lsq", .format = Format::kInt4, .scheme = Scheme::kLinear};
  at::Tensor x = at::randn({6, 32});
  EXPECT_THROW(FakeQuantizeLearned(x, at::ones({5, 1}), spec, 32), c10::Error);
  EXPECT_THROW(FakeQuantizeLearned(x, at::ones({1, 1}), spec, 0), c10::Error);
}

TEST(FakeQuantizeLearnedTest, AScaleBelowTheSmallestCountsAsTheSmallest) {
  QuantizerSpec spec{.estimator = "lsq", .format = Format::kInt4, .scheme = Scheme::kLinear};
  at::Tensor x = at::full({1, 4}, 3e-5);
  EXPECT_NEAR(FakeQuantizeLearned(x, at::full({1, 1}, -1.0), spec, 4).sum().item<double>(), 12e-5, 1e-9);
}

}  // namespace
}  // namespace ridgeline
