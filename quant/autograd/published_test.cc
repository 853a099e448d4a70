// SPDX-License-Identifier: Apache-2.0
// Every estimator, format and granularity against its plain twin, and what papers say of some.
#include <gtest/gtest.h>

#include "method/every_spec.h"
#include "method/problems.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/published_ref.h"
#include "quant/autograd/torch_pch.h"
#include "quant/testing/tensors_close.h"

namespace ridgeline {
namespace {

constexpr double kAgreesWithAutograd = 1e-10;  // In double.

// Every row of the table whose scale is not learned, in each of its formats and granularities.
std::vector<QuantizerSpec> EveryTwin() {
  return EverySpec({.estimators = [](const EstimatorTraits& traits) { return !traits.learns_scale(); },
                    .granularities = {Granularity::kBlock, Granularity::kRow, Granularity::kTensor}});
}

TEST(PublishedEstimatorTest, EveryRowHasAReference) {
  for (const EstimatorTraits& traits : EveryEstimator())
    EXPECT_EQ(HasPublished_ref(traits.name), traits.decoding == Decoding::kOwn)
        << traits.name << ": write its definition in plain operations in quant/autograd/published_ref.cc";
}

template <typename Function>
at::Tensor GradientOf(const Function& function, const at::Tensor& x, const at::Tensor& v, const QuantizerSpec& spec) {
  at::Tensor leaf = x.detach().clone().requires_grad_(true);
  return torch::autograd::grad({function(leaf, spec)}, {leaf}, {v})[0];
}

at::Tensor ForwardOf(const at::Tensor& x, const QuantizerSpec& spec) {
  return FakeQuantize(x.detach().clone().requires_grad_(true), spec).detach();
}

void ExpectTwinsAgree(const QuantizerSpec& spec) {
  SCOPED_TRACE(DescribeSpec(spec));
  const int64_t features = spec.hadamard ? 192 : 150;
  at::Tensor x = at::randn({3, 5, features}, at::kDouble) + 0.2, v = at::randn({3, 5, features}, at::kDouble);
  EXPECT_TRUE(AllNear(ForwardOf(x, spec), FakeQuantize_ref(x, spec), kAgreesWithAutograd));
  EXPECT_TRUE(
      AllNear(GradientOf(FakeQuantize, x, v, spec), GradientOf(FakeQuantize_ref, x, v, spec), kAgreesWithAutograd));
}

// Whether a block's largest number may lie where the clip ends, where its last bit decides: bitmod_fp3 with an extra
// level on the other side.
bool EndsOnItsClip(const QuantizerSpec& spec) {
  const double end = LargestElement(spec.format) + FloatElementOf(spec.format).last_step() / 2;
  return FindEstimatorTraits(spec.estimator)->mask == TrustMask::kUnclipped && IsBitMod(spec.format) &&
         end == BitModLevelsOf(spec.format).farther;
}

TEST(PublishedEstimatorTest, ClosedFormAgreesWithTheAutogradTwin) {
  at::manual_seed(1);
  at::set_num_threads(1);  // Tensors this small would only wait for each other's threads.
  const std::vector<QuantizerSpec> specs = EveryTwin();
  EXPECT_GE(specs.size(), 700u);
  for (QuantizerSpec spec : specs) {
    if (EndsOnItsClip(spec)) continue;
    ExpectTwinsAgree(spec);
    spec.hard_rounding = true;
    if (spec.adds_noise()) ExpectTwinsAgree(spec);
    // Two ways to rotate differ in last bits, from which noise follows, and on which it depends to which side
    // torchao's linear grid rounds the largest number of a block.
    spec.hadamard = true;
    if (spec.estimator == "torchao" && spec.scheme == Scheme::kLinear) continue;
    if (ValidateQuantizerSpec(spec).ok()) ExpectTwinsAgree(spec);
  }
}

TEST(PublishedEstimatorTest, WithoutGradientsNoiseGivesWayToRounding) {
  at::Tensor x = at::randn({4, 128});
  const auto adds_noise = [](const EstimatorTraits& traits) { return traits.adds_noise; };
  const std::vector<QuantizerSpec> specs =
      EverySpec({.estimators = adds_noise, .formats = {Format::kInt4}, .block = 128});
  EXPECT_GE(specs.size(), 2u);
  for (const QuantizerSpec& spec : specs) {
    QuantizerSpec hard = spec;
    hard.hard_rounding = true;
    at::Tensor training = ForwardOf(x, spec);
    at::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(FakeQuantize(x, spec), FakeQuantize(x, hard))) << spec.estimator;
    EXPECT_FALSE(at::equal(FakeQuantize(x, spec), training)) << spec.estimator;
    EXPECT_LE(std::get<0>(at::_unique2(FakeQuantize(x, spec)[0])).numel(), 16) << spec.estimator;
  }
}

// docs/methods.md#bitnet_b1-bitnet-bitnet_reloaded: of Gaussian numbers about 31% are zero with the mean, 26% with the
// median.
TEST(PublishedEstimatorTest, TheMedianLeavesFewerZerosThanTheMean) {
  at::manual_seed(2);
  at::Tensor x = at::randn({1, 1 << 16});
  QuantizerSpec spec{.estimator = "bitnet", .format = Format::kTernary, .scheme = Scheme::kLinear};
  spec.granularity = Granularity::kTensor;
  EXPECT_NEAR((FakeQuantize(x, spec) == 0).to(at::kDouble).mean().item<double>(), 0.310, 0.01);
  spec.estimator = "bitnet_reloaded";
  EXPECT_NEAR((FakeQuantize(x, spec) == 0).to(at::kDouble).mean().item<double>(), 0.264, 0.01);
}

// docs/methods.md#torchao: the largest positive number of an int4 block is clamped, and so has no gradient.
TEST(PublishedEstimatorTest, TorchaoClampsTheLargestPositiveNumber) {
  QuantizerSpec spec{.estimator = "torchao", .format = Format::kInt4, .scheme = Scheme::kLinear, .block = 4};
  at::Tensor x = at::tensor({7.5, 1.0, -2.0, 0.0}, at::kDouble), v = at::ones({4}, at::kDouble);
  EXPECT_TRUE(at::equal(ForwardOf(x, spec), at::tensor({7.0, 1.0, -2.0, 0.0}, at::kDouble)));
  EXPECT_TRUE(at::equal(GradientOf(FakeQuantize, x, v, spec), at::tensor({0.0, 1.0, 1.0, 1.0}, at::kDouble)));
  EXPECT_TRUE(at::equal(ForwardOf(-x, spec), at::tensor({-8.0, -1.0, 2.0, 0.0}, at::kDouble)) ||
              at::equal(ForwardOf(-x, spec), at::tensor({-7.5, -1.0, 2.0, 0.0}, at::kDouble)));
}

// docs/methods.md#ste_clip: |x| > mean |x| is 42% of Gaussian numbers.
TEST(PublishedEstimatorTest, ClippedSignsKeepTheGradientOfSixTenths) {
  at::manual_seed(3);
  at::Tensor x = at::randn({1, 1 << 16}), v = at::ones({1, 1 << 16});
  QuantizerSpec spec{.estimator = "ste_clip", .format = Format::kInt1, .scheme = Scheme::kLinear};
  spec.granularity = Granularity::kRow;
  EXPECT_NEAR(GradientOf(FakeQuantize, x, v, spec).mean().item<double>(), 0.575, 0.01);
}

}  // namespace
}  // namespace ridgeline
