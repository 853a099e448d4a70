// SPDX-License-Identifier: Apache-2.0
#include "quant/autograd/fake_quantize.h"

#include <gtest/gtest.h>

#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr double kAgreesWithAutograd = 1e-10;  // In double.

std::vector<QuantizerSpec> EverySpec() {
  std::vector<QuantizerSpec> specs;
  for (std::string estimator : {"ridge", "ste"})
    for (GridGradient gradient : {GridGradient::kDetached, GridGradient::kGraph})
      for (Scheme scheme : {Scheme::kLinear, Scheme::kAffine})
        for (Format format : {Format::kInt1, Format::kInt2, Format::kInt4, Format::kTernary}) {
          QuantizerSpec spec{estimator, format, scheme, 64, 0.01, gradient};
          if (ValidateQuantizerSpec(spec).ok()) specs.push_back(spec);
        }
  return specs;
}

at::Tensor GradientOf(at::Tensor (*function)(const at::Tensor&, const QuantizerSpec&), const at::Tensor& x,
                      const at::Tensor& v, const QuantizerSpec& spec) {
  at::Tensor leaf = x.detach().clone().requires_grad_(true);
  return torch::autograd::grad({function(leaf, spec)}, {leaf}, {v})[0];
}

TEST(FakeQuantizeTest, ClosedFormAgreesWithTheAutogradTwinInEveryGrid) {
  at::Tensor x = at::randn({3, 5, 150}, at::kDouble), v = at::randn({3, 5, 150}, at::kDouble);
  for (const QuantizerSpec& spec : EverySpec()) {
    SCOPED_TRACE(spec.estimator + " " + std::string(FormatName(spec.format)) + " " +
                 std::string(SchemeName(spec.scheme)));
    EXPECT_LT((FakeQuantize(x, spec) - FakeQuantize_ref(x, spec)).abs().max().item<double>(), kAgreesWithAutograd);
    at::Tensor difference = GradientOf(FakeQuantize, x, v, spec) - GradientOf(FakeQuantize_ref, x, v, spec);
    EXPECT_LT(difference.abs().max().item<double>(), kAgreesWithAutograd);
  }
}

TEST(FakeQuantizeTest, ADisabledSpecGivesTheTensorItself) {
  at::Tensor x = at::randn({2, 8});
  EXPECT_TRUE(FakeQuantize(x, QuantizerSpec{}).is_same(x));
}

TEST(FakeQuantizeTest, BFloat16IsComputedInFloat) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kInt4};
  at::Tensor x = at::randn({4, 128}).to(at::kBFloat16);
  at::Tensor expected = FakeQuantize(x.to(at::kFloat), spec).to(at::kBFloat16);
  EXPECT_TRUE(at::equal(FakeQuantize(x, spec), expected));
}

TEST(FakeQuantizeTest, ATransposedTensorIsQuantizedAlongItsOwnLastDimension) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt2};
  at::Tensor x = at::randn({128, 4}).t();
  EXPECT_TRUE(at::equal(FakeQuantize(x, spec), FakeQuantize(x.contiguous(), spec)));
}

TEST(FakeQuantizeTest, ThreadsDoNotChangeTheResult) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kInt1};
  at::Tensor x = at::randn({1024, 256});
  at::set_num_threads(1);
  at::Tensor one = FakeQuantize(x, spec);
  at::set_num_threads(2);
  EXPECT_TRUE(at::equal(one, FakeQuantize(x, spec)));
}

TEST(FakeQuantizeTest, MoreBitsLeaveASmallerError) {
  at::Tensor x = at::randn({16, 128});
  double last = 1;
  for (Format format : {Format::kInt1, Format::kInt2, Format::kInt3, Format::kInt4, Format::kInt8}) {
    double error = QuantErrorRatio(x, {.estimator = "ridge", .format = format});
    EXPECT_LT(error, last);
    last = error;
  }
  EXPECT_EQ(QuantErrorRatio(x, QuantizerSpec{}), 0);
}

TEST(FakeQuantizeTest, AnImpossibleSpecIsAnErrorThatSaysWhy) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kTernary, .scheme = Scheme::kAffine};
  EXPECT_THROW(FakeQuantize(at::randn({1, 8}), spec), c10::Error);
}

}  // namespace
}  // namespace ridgeline
