// SPDX-License-Identifier: Apache-2.0
// Estimators that bring their own grid, and ste_clip, against their plain twins, and what their papers say of them.
#include <gtest/gtest.h>

#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/torch_pch.h"
#include "quant/spec/float_element.h"
#include "quant/testing/tensors_close.h"

namespace ridgeline {
namespace {

constexpr double kAgreesWithAutograd = 1e-10;  // In double.

constexpr Format kFormats[] = {Format::kInt1, Format::kInt2, Format::kInt4,  Format::kInt7,
                               Format::kInt8, Format::kFp4,  Format::kMxFp4, Format::kTernary};

std::vector<QuantizerSpec> EverySpec() {
  std::vector<QuantizerSpec> specs;
  for (std::string estimator :
       {"ste_clip", "bitnet_b1", "bitnet", "bitnet_reloaded", "bi_adapter", "torchao", "gaussws", "diffq"})
    for (Format format : kFormats)
      for (Scheme scheme : {Scheme::kLinear, Scheme::kAffine})
        for (GridStatistics grid : {GridStatistics::kMinMax, GridStatistics::kGaussian})
          for (GridGradient gradient : {GridGradient::kDetached, GridGradient::kGraph})
            for (Granularity granularity : {Granularity::kBlock, Granularity::kTensor}) {
              const int64_t block = OwnBlock(format) > 0 ? OwnBlock(format) : 64;
              QuantizerSpec spec{estimator, format, scheme, block, 0.01, gradient, grid};
              spec.granularity = granularity;
              if (ValidateQuantizerSpec(spec).ok()) specs.push_back(spec);
            }
  return specs;
}

std::string Name(const QuantizerSpec& spec) {
  return spec.estimator + " " + std::string(FormatName(spec.format)) + " " + std::string(SchemeName(spec.scheme)) +
         " " + std::string(GridStatisticsName(spec.grid)) + " " + std::string(GranularityName(spec.granularity)) +
         (spec.hadamard ? " hadamard" : "") + (spec.hard_rounding ? " hard" : "");
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
  SCOPED_TRACE(Name(spec));
  const int64_t features = spec.hadamard ? 192 : 150;
  at::Tensor x = at::randn({3, 5, features}, at::kDouble) + 0.2, v = at::randn({3, 5, features}, at::kDouble);
  EXPECT_TRUE(AllNear(ForwardOf(x, spec), FakeQuantize_ref(x, spec), kAgreesWithAutograd));
  EXPECT_TRUE(
      AllNear(GradientOf(FakeQuantize, x, v, spec), GradientOf(FakeQuantize_ref, x, v, spec), kAgreesWithAutograd));
}

TEST(PublishedEstimatorTest, ClosedFormAgreesWithTheAutogradTwin) {
  at::manual_seed(1);
  at::set_num_threads(1);  // Tensors this small would only wait for each other's threads.
  const std::vector<QuantizerSpec> specs = EverySpec();
  EXPECT_GT(specs.size(), 50u);
  for (QuantizerSpec spec : specs) {
    ExpectTwinsAgree(spec);
    spec.hard_rounding = true;
    ExpectTwinsAgree(spec);
    // Two ways to rotate differ in last bits, from which noise follows, and on which it depends to which side
    // torchao's linear grid rounds the largest number of a block.
    spec.hadamard = true;
    if (spec.estimator == "torchao" && spec.scheme == Scheme::kLinear) continue;
    if (ValidateQuantizerSpec(spec).ok()) ExpectTwinsAgree(spec);
  }
}

TEST(PublishedEstimatorTest, WithoutGradientsNoiseGivesWayToRounding) {
  at::Tensor x = at::randn({4, 128});
  for (auto [estimator, scheme] : {std::pair{"gaussws", Scheme::kLinear}, {"diffq", Scheme::kAffine}}) {
    QuantizerSpec spec{.estimator = estimator, .format = Format::kInt4, .scheme = scheme}, hard = spec;
    hard.hard_rounding = true;
    at::Tensor training = ForwardOf(x, spec);
    at::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(FakeQuantize(x, spec), FakeQuantize(x, hard))) << estimator;
    EXPECT_FALSE(at::equal(FakeQuantize(x, spec), training)) << estimator;
    EXPECT_LE(std::get<0>(at::_unique2(FakeQuantize(x, spec)[0])).numel(), 16) << estimator;
  }
}

// METHODS A5: of Gaussian numbers about 31% are zero with the mean, 26% with the median.
TEST(PublishedEstimatorTest, TheMedianLeavesFewerZerosThanTheMean) {
  at::manual_seed(2);
  at::Tensor x = at::randn({1, 1 << 16});
  QuantizerSpec spec{.estimator = "bitnet", .format = Format::kTernary, .scheme = Scheme::kLinear};
  spec.granularity = Granularity::kTensor;
  EXPECT_NEAR((FakeQuantize(x, spec) == 0).to(at::kDouble).mean().item<double>(), 0.310, 0.01);
  spec.estimator = "bitnet_reloaded";
  EXPECT_NEAR((FakeQuantize(x, spec) == 0).to(at::kDouble).mean().item<double>(), 0.264, 0.01);
}

// METHODS A1, trap (a): the largest positive number of an int4 block is clamped, and so has no gradient.
TEST(PublishedEstimatorTest, TorchaoClampsTheLargestPositiveNumber) {
  QuantizerSpec spec{.estimator = "torchao", .format = Format::kInt4, .scheme = Scheme::kLinear, .block = 4};
  at::Tensor x = at::tensor({7.5, 1.0, -2.0, 0.0}, at::kDouble), v = at::ones({4}, at::kDouble);
  EXPECT_TRUE(at::equal(ForwardOf(x, spec), at::tensor({7.0, 1.0, -2.0, 0.0}, at::kDouble)));
  EXPECT_TRUE(at::equal(GradientOf(FakeQuantize, x, v, spec), at::tensor({0.0, 1.0, 1.0, 1.0}, at::kDouble)));
  EXPECT_TRUE(at::equal(ForwardOf(-x, spec), at::tensor({-8.0, -1.0, 2.0, 0.0}, at::kDouble)) ||
              at::equal(ForwardOf(-x, spec), at::tensor({-7.5, -1.0, 2.0, 0.0}, at::kDouble)));
}

// METHODS A6, trap (c): |x| > mean |x| is 42% of Gaussian numbers.
TEST(PublishedEstimatorTest, ClippedSignsKeepTheGradientOfSixTenths) {
  at::manual_seed(3);
  at::Tensor x = at::randn({1, 1 << 16}), v = at::ones({1, 1 << 16});
  QuantizerSpec spec{.estimator = "ste_clip", .format = Format::kInt1, .scheme = Scheme::kLinear};
  spec.granularity = Granularity::kRow;
  EXPECT_NEAR(GradientOf(FakeQuantize, x, v, spec).mean().item<double>(), 0.575, 0.01);
}

}  // namespace
}  // namespace ridgeline
