// SPDX-License-Identifier: Apache-2.0
#include "model/parameter.h"

#include <gtest/gtest.h>

#include "method/every_spec.h"
#include "method/resolved_spec.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

Parameter QuantizedWeight(const char* estimator, at::ScalarType type) {
  Parameter weight{.name = "weight", .master = at::randn({4, 128})};
  weight.quantizer.spec = {.estimator = estimator,
                           .format = Format::kInt2,
                           .scheme = Scheme::kLinear,
                           .grid = GridStatistics::kGaussian,
                           .hadamard = true};
  weight.compute = at::empty({4, 128}, type);
  return weight;
}

// What passes from `upstream` to the master.
at::Tensor PassedBy(Parameter* weight, const at::Tensor& upstream) {
  weight->gradient.sum = upstream.clone();
  weight->gradient.is_empty = false;
  weight->PassGradientThroughQuantizer();
  return weight->gradient.sum;
}

at::Tensor PassedByTheMaster(const Parameter& weight, const at::Tensor& upstream) {
  const at::Tensor master = weight.master.clone().requires_grad_(true),
                   x_hat = FakeQuantize(master, weight.quantizer.spec);
  return torch::autograd::grad({x_hat}, {master}, {upstream.to(at::kFloat)})[0].to(upstream.scalar_type());
}

TEST(ParameterTest, WhatIsSavedPassesTheGradientThatTheMasterWould) {
  for (auto [estimator, row_bytes] : {std::pair{"quest", 128 / 8}, {"ridge", 6 * 4}})
    for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      SCOPED_TRACE(estimator);
      Parameter weight = QuantizedWeight(estimator, type);
      weight.RefreshCompute();
      const at::Tensor upstream = at::randn({4, 128}).to(type), expected = PassedByTheMaster(weight, upstream);
      EXPECT_EQ(weight.quantizer.saved.nbytes(), static_cast<size_t>(4 * row_bytes));
      EXPECT_TRUE(at::equal(PassedBy(&weight, upstream), expected));
      EXPECT_FALSE(at::equal(upstream, expected)) << "the gradient passes as it is: this tests nothing";
    }
}

TEST(ParameterTest, RunsOfRowsComeToWhatTheWholeDoes) {
  int count = 0;
  for (const QuantizerSpec& spec : EverySpec({.rotations = {{}, {true}}})) {
    if (spec.learns_scale() || !TreatsRowsAlone(spec)) continue;
    ++count;
    SCOPED_TRACE(DescribeSpec(spec));
    Parameter whole = QuantizedWeight("ste", at::kBFloat16), by_rows = whole;
    whole.quantizer.spec = by_rows.quantizer.spec = spec;
    by_rows.compute = at::empty_like(whole.compute);
    ASSERT_TRUE(by_rows.refreshes_by_rows());
    for (Parameter* weight : {&whole, &by_rows}) weight->RefreshCompute();
    whole.master = at::randn({4, 128}), by_rows.master = whole.master.clone();
    whole.RefreshCompute();
    for (auto [begin, end] : {std::pair{3, 4}, {0, 3}}) by_rows.RefreshRows(begin, end);
    EXPECT_TRUE(at::equal(by_rows.compute, whole.compute));
    EXPECT_TRUE(at::equal(by_rows.quantizer.saved, whole.quantizer.saved));
    const at::Tensor upstream = at::randn({4, 128}).to(at::kBFloat16);
    by_rows.gradient.sum = upstream.clone();
    for (auto [begin, end] : {std::pair{3, 4}, {0, 3}}) by_rows.PassGradientOfRows(begin, end);
    EXPECT_TRUE(at::equal(by_rows.gradient.sum, PassedBy(&whole, upstream)));
  }
  EXPECT_GE(count, 500);
}

TEST(ParameterTest, AMatrixThatSharesAScaleIsNotCutIntoRows) {
  Parameter weight = QuantizedWeight("ste", at::kFloat);
  weight.quantizer.spec = {.estimator = "bitnet",
                           .format = Format::kTernary,
                           .scheme = Scheme::kLinear,
                           .granularity = Granularity::kTensor};
  EXPECT_FALSE(weight.refreshes_by_rows());
  weight.quantizer.spec = {.estimator = "ste", .format = Format::kNvFp4, .scheme = Scheme::kLinear, .block = 16};
  EXPECT_FALSE(weight.refreshes_by_rows()) << "its blocks' scales are counted in that of the matrix";
}

TEST(ParameterTest, WhatIsSavedIsForgottenWherePrunedNumbersBeginToDecay) {
  Parameter weight = QuantizedWeight("quest", at::kFloat);
  weight.RefreshCompute();
  weight.quantizer.spec.sparsity = {2, 4};
  weight.quantizer.spec.mask_decay = 0.1;
  weight.RefreshCompute();
  EXPECT_EQ(weight.quantizer.saved.numel(), 0);
  const at::Tensor upstream = at::randn({4, 128});
  EXPECT_TRUE(at::equal(PassedBy(&weight, upstream), PassedByTheMaster(weight, upstream)));
}

}  // namespace
}  // namespace ridgeline
