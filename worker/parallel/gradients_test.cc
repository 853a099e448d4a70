// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/gradients.h"

#include <gtest/gtest.h>

#include <cmath>

#include "method/every_spec.h"
#include "model/gpt.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/gradient_norm.h"

namespace ridgeline {
namespace {

// Wide enough that its matrices are cut into several runs.
std::unique_ptr<Gpt> SmallGpt(const QuantizerSpec& weight) {
  ModelOptions options;
  options.weight = weight;
  return Gpt::Create({.n_layers = 1, .dim = 256, .n_heads = 2, .vocab_size = 300, .seq_len = 8}, options, 1).value();
}

// The gradients of all parameters after PassThroughQuantizers, one after the other, and their norm.
std::pair<at::Tensor, double> PassedGradients(LanguageModel* model, int threads) {
  const int threads_before = at::get_num_threads();
  at::set_num_threads(threads);
  std::vector<Parameter*> parameters;
  for (Parameter& parameter : model->parameters()) parameters.push_back(&parameter);
  Gradients gradients(parameters, GradientSums::kFloat32, 1);
  std::vector<at::Tensor> flat;
  at::Generator generator = at::detail::createCPUGenerator(3);
  for (Parameter& parameter : model->parameters())
    parameter.gradient.Add(at::randn(parameter.master.sizes(), generator));
  const double norm = std::sqrt(PassThroughQuantizers(model, RunsOfRows(*model)).whole.item<double>());
  at::set_num_threads(threads_before);
  for (const Parameter& parameter : model->parameters()) flat.push_back(parameter.gradient.sum.flatten().clone());
  return {at::cat(flat), norm};
}

// Of a parameter's own, as a whole.
at::Tensor PassedOneByOne(LanguageModel* model) {
  std::vector<at::Tensor> flat;
  at::Generator generator = at::detail::createCPUGenerator(3);
  for (Parameter& parameter : model->parameters()) {
    parameter.gradient.sum = at::randn(parameter.master.sizes(), generator);
    parameter.gradient.is_empty = false;
  }
  for (Parameter& parameter : model->parameters()) parameter.PassGradientThroughQuantizer();
  for (const Parameter& parameter : model->parameters()) flat.push_back(parameter.gradient.sum.flatten().clone());
  return at::cat(flat);
}

TEST(RunsOfRowsTest, HoldEveryNumberOnce) {
  const std::unique_ptr<Gpt> model = SmallGpt({});
  std::vector<at::Tensor> seen;
  for (const Parameter& parameter : model->parameters()) seen.push_back(at::zeros({parameter.master.numel()}));
  const std::vector<RunOfRows> runs = RunsOfRows(*model);
  for (const RunOfRows& run : runs) {
    seen[run.parameter].narrow(0, run.numbers.begin, run.numbers.count).add_(1);
    EXPECT_EQ(run.numbers.count, (run.end_row - run.begin_row) * model->parameters()[run.parameter].row_length());
  }
  for (const at::Tensor& times : seen) EXPECT_TRUE(at::all(times == 1).item<bool>());
  EXPECT_GT(runs.size(), model->parameters().size()) << "nothing is cut: this tests nothing";
}

TEST(GradientsTest, PassTheirQuantizersInRunsAsTheyDoAsAWhole) {
  // Each estimator of weights, in a format that it has.
  const std::vector<QuantizerSpec> specs =
      EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.is_defined_for(Side::kWeight); },
                 .formats = {Format::kInt1, Format::kInt4, Format::kTernary},
                 .rotations = {{}, {true, true}}});
  EXPECT_GE(specs.size(), 60u);
  for (const QuantizerSpec& spec : specs) {
    SCOPED_TRACE(DescribeSpec(spec));
    const std::unique_ptr<Gpt> model = SmallGpt(spec);
    const auto [alone, norm_alone] = PassedGradients(model.get(), 1);
    const auto [shared, norm_shared] = PassedGradients(model.get(), 2);
    EXPECT_TRUE(at::equal(alone, shared));
    EXPECT_EQ(norm_alone, norm_shared);
    EXPECT_NEAR(norm_alone, alone.to(at::kDouble).norm().item<double>(), 1e-6 * norm_alone);
    EXPECT_TRUE(at::equal(alone, PassedOneByOne(model.get())));
  }
}

}  // namespace
}  // namespace ridgeline
