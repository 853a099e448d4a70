// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/optimizer.h"

#include <gtest/gtest.h>

#include "method/every_spec.h"
#include "model/gpt.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/torch_pch.h"
#include "quant/testing/tensors_close.h"
#include "worker/parallel/adamw_for_tests.h"

namespace ridgeline {
namespace {

std::unique_ptr<Gpt> SmallGpt(const QuantizerSpec& weight) {
  ModelOptions options;
  options.weight = weight;
  std::unique_ptr<Gpt> model =
      Gpt::Create({.n_layers = 1, .dim = 16, .n_heads = 2, .vocab_size = 11, .seq_len = 8}, options, 1).value();
  for (Parameter& parameter : model->parameters()) parameter.gradient.sum = at::zeros_like(parameter.master);
  return model;
}

TEST(AdamWTest, DecoupledMaskDecayShrinksWhatIsPrunedAndNothingElse) {
  std::unique_ptr<Gpt> model = SmallGpt({.sparsity = {2, 4}});
  std::vector<at::Tensor> before;
  for (const Parameter& parameter : model->parameters()) before.push_back(parameter.master.clone());
  AdamW(model.get(), AdamwForTests(), /*mask_decay=*/0.5).Step(/*learning_rate=*/0.1, 1);
  for (size_t i = 0; i < before.size(); ++i) {
    const Parameter& parameter = model->parameters()[i];
    at::Tensor expected = before[i];
    if (parameter.quantizer.spec.sparsity.is_sparse()) {
      const at::Tensor kept = FakeQuantize(before[i], {.sparsity = {2, 4}});
      expected = kept + 0.95 * (before[i] - kept);
    }
    EXPECT_TRUE(AllClose(parameter.master, expected, 1e-6)) << parameter.name;
  }
}

TEST(AdamWTest, AStepLeavesTheNewMastersQuantized) {
  // In blocks, and in tensors, which are not cut into runs of rows.
  const std::vector<QuantizerSpec> specs =
      EverySpec({.estimators = [](const EstimatorTraits& traits) { return !traits.learns_scale(); },
                 .formats = {Format::kInt1, Format::kInt4, Format::kTernary},
                 .granularities = {Granularity::kBlock, Granularity::kTensor}});
  EXPECT_GE(specs.size(), 60u);
  for (const QuantizerSpec& spec : specs) {
    SCOPED_TRACE(DescribeSpec(spec));
    std::unique_ptr<Gpt> model = SmallGpt(spec);
    for (Parameter& parameter : model->parameters()) parameter.gradient.sum = at::randn(parameter.master.sizes());
    std::vector<at::Tensor> before;
    for (const Parameter& parameter : model->parameters()) before.push_back(parameter.compute.clone());
    AdamW(model.get(), AdamwForTests()).Step(/*learning_rate=*/0.1, 1);
    for (size_t i = 0; i < before.size(); ++i) {
      const Parameter& parameter = model->parameters()[i];
      EXPECT_TRUE(at::equal(parameter.compute, QuantizedValues(parameter.master, parameter.quantizer.spec, at::kFloat)))
          << parameter.name;
      EXPECT_FALSE(at::equal(parameter.compute, before[i])) << parameter.name << " is not stepped: this tests nothing";
    }
  }
}

TEST(AdamWTest, AScaleStopsAtTheSmallestAndLeavesItAgain) {
  QuantizerSpec spec{.estimator = "lsq", .format = Format::kInt4, .scheme = Scheme::kLinear};
  spec.granularity = Granularity::kTensor;
  std::unique_ptr<Gpt> model = SmallGpt(spec);
  AdamW optimizer(model.get(), AdamwForTests());
  auto step_scales = [&](double gradient) {
    for (Parameter& parameter : model->parameters())
      parameter.gradient.sum.fill_(parameter.of_quantizer ? gradient : 0);
    optimizer.Step(/*learning_rate=*/1, 1);
  };
  auto each_scale = [&](auto check) {
    for (const Parameter& parameter : model->parameters())
      if (parameter.of_quantizer) check(parameter.master.item<float>());
  };
  step_scales(1);
  each_scale([](float scale) { EXPECT_FLOAT_EQ(scale, 1e-5f); });
  for (int step = 0; step < 3; ++step) step_scales(-10);
  each_scale([](float scale) { EXPECT_GT(scale, 0.01f); });
}

}  // namespace
}  // namespace ridgeline
