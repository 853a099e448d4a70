// SPDX-License-Identifier: Apache-2.0
// Models whose quantizers learn: their parameters, what moves them, and what stays as it is.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "method/every_spec.h"
#include "model/gemma3.h"
#include "model/gpt.h"
#include "model/input_quantizer.h"
#include "model/training_pass.h"
#include "quant/autograd/learned_scale.h"
#include "quant/autograd/torch_pch.h"
#include "quant/testing/tensors_close.h"

namespace ridgeline {
namespace {

struct Learned {
  std::string weight, input;
};

QuantizerSpec SpecOf(const std::string& estimator, Granularity granularity) {
  QuantizerSpec spec{.estimator = estimator, .format = Format::kInt4, .scheme = Scheme::kLinear};
  spec.granularity = granularity;
  return estimator == "none" ? QuantizerSpec{} : spec;
}

// As recipes fill them in.
Granularity GranularityFor(Side side, const std::string& estimator) {
  const EstimatorTraits* traits = FindEstimatorTraits(estimator);
  if (traits == nullptr) return Granularity::kBlock;
  const auto own = side == Side::kWeight ? traits->weight_granularity : traits->activation_granularity;
  return own.value_or(Granularity::kRow);
}

ModelOptions OptionsOf(const Learned& learned) {
  ModelOptions options;
  options.weight = SpecOf(learned.weight, GranularityFor(Side::kWeight, learned.weight));
  options.activation = SpecOf(learned.input, GranularityFor(Side::kActivation, learned.input));
  return options;
}

// Each estimator that learns a scale on each side that it is defined for, and a pair.
std::vector<Learned> EveryLearned() {
  std::vector<Learned> all = {{"post", "asq"}};
  for (const EstimatorTraits& traits : EveryEstimator()) {
    if (!traits.learns_scale()) continue;
    const std::string name(traits.name);
    if (traits.is_defined_for(Side::kWeight)) all.push_back({name, "none"});
    if (traits.is_defined_for(Side::kActivation)) all.push_back({"none", name});
  }
  return all;
}

std::unique_ptr<Gpt> SmallGpt(const ModelOptions& options) {
  return Gpt::Create({.n_layers = 2, .dim = 16, .n_heads = 2, .vocab_size = 11, .seq_len = 8}, options, 1).value();
}

at::Tensor SomeTokens() { return at::arange(16, at::kLong).remainder(11).reshape({2, 8}); }

Parameter& Named(LanguageModel& model, const std::string& name) {
  for (Parameter& parameter : model.parameters())
    if (parameter.name == name) return parameter;
  throw std::out_of_range(name);
}

// What quantizers learn moves by this in a step, whatever the size of the gradient, as with AdamW.
constexpr double kStepOfScales = 1e-3;

// A pass and a step down the gradient; the loss before it.
double Step(LanguageModel* model, double rate) {
  for (Parameter& parameter : model->parameters()) {
    parameter.gradient.sum = at::zeros_like(parameter.master);
    parameter.gradient.is_empty = true;
  }
  const double loss = AccumulateGradients(model, SomeTokens(), SomeTokens().roll(1, 1), 1.0 / 16).loss() / 16;
  for (Parameter& parameter : model->parameters()) parameter.PassGradientThroughQuantizer();
  for (Parameter& parameter : model->parameters()) {
    if (parameter.of_quantizer)
      parameter.master.sub_(parameter.gradient.sum.sign(), kStepOfScales);
    else
      parameter.master.sub_(parameter.gradient.sum, rate);
  }
  model->RefreshCompute();
  return loss;
}

TEST(LearnedScalesTest, TrainingLowersTheLossAndMovesEveryScale) {
  at::set_num_threads(1);  // Layers this small would only wait for each other's threads.
  EXPECT_GE(EveryLearned().size(), 6u);
  for (const Learned& learned : EveryLearned()) {
    SCOPED_TRACE(learned.weight + " " + learned.input);
    std::unique_ptr<Gpt> model = SmallGpt(OptionsOf(learned));
    model->Logits(SomeTokens());  // Sets the scales of inputs.
    std::map<std::string, at::Tensor> before;
    for (const Parameter& parameter : model->parameters())
      if (parameter.of_quantizer) before[parameter.name] = parameter.master.clone();
    double first = 0, last = 0;
    for (int step = 0; step < 13; ++step) {  // An odd number of equal steps does not lead back.
      last = Step(model.get(), 0.2);
      if (step == 0) first = last;
    }
    EXPECT_LT(last, first - 0.05);
    for (const auto& [name, master] : before) EXPECT_FALSE(at::equal(Named(*model, name).master, master)) << name;
    EXPECT_EQ(before.contains("h.0.mlp.fc.weight.scale"), learned.weight != "none");
    EXPECT_EQ(before.contains("h.0.mlp.fc.weight.input_scale"), learned.input != "none");
    EXPECT_EQ(before.contains("h.0.mlp.fc.weight.input_beta.out.weight"), learned.input == "asq");
  }
}

TEST(LearnedScalesTest, OnlyMatricesDecay) {
  std::unique_ptr<Gpt> model = SmallGpt(OptionsOf({"lsq", "asq"}));
  for (const Parameter& parameter : model->parameters())
    EXPECT_FALSE(parameter.step.decays && parameter.of_quantizer) << parameter.name;
}

TEST(LearnedScalesTest, WeightsThatShareAnInputShareItsScale) {
  Gemma3Config config{.vocab_size = 32,
                      .dim = 16,
                      .n_layers = 1,
                      .mlp_dim = 24,
                      .n_heads = 2,
                      .n_kv_heads = 1,
                      .head_dim = 8,
                      .slides = {false}};
  std::unique_ptr<Gemma3> model = Gemma3::Create(config, OptionsOf({"lsq", "lsq"}), 1).value();
  std::vector<std::string> scales;
  for (const Parameter& parameter : model->parameters())
    if (parameter.name.ends_with(".input_scale")) scales.push_back(parameter.name);
  const std::string layer = "model.layers.0.";
  EXPECT_EQ(scales, (std::vector<std::string>{
                        layer + "self_attn.q_proj.weight.input_scale", layer + "self_attn.o_proj.weight.input_scale",
                        layer + "mlp.gate_proj.weight.input_scale", layer + "mlp.down_proj.weight.input_scale"}));
}

TEST(LearnedScalesTest, OneSeedGivesTheWeightsOfAModelWithoutScales) {
  std::unique_ptr<Gpt> learned = SmallGpt(OptionsOf({"lsq", "asq"})), plain = SmallGpt({});
  for (const Parameter& parameter : plain->parameters())
    EXPECT_TRUE(at::equal(Named(*learned, parameter.name).master, parameter.master)) << parameter.name;
}

TEST(LearnedScalesTest, ASkippedLayerHasNoScales) {
  ModelOptions options = OptionsOf({"lsq", "lsq"});
  options.skip = {"h.0.*"};
  std::unique_ptr<Gpt> model = SmallGpt(options);
  for (const Parameter& parameter : model->parameters())
    EXPECT_FALSE(parameter.of_quantizer && parameter.name.starts_with("h.0.")) << parameter.name;
}

TEST(LearnedScalesTest, AsqBeginsAsLsqAndItsNetworkPassesItsGradientOn) {
  Parameter scale{.name = "s", .master = at::zeros({1, 1})};
  std::deque<Parameter> network;
  InputQuantizer asq(SpecOf("asq", Granularity::kRow), CpuOps()), lsq(SpecOf("lsq", Granularity::kTensor), CpuOps());
  lsq.TakeParameters("s", [&](const std::string&) { return &scale; });
  for (const ParameterShape& shape : LearnedByInput("a", SpecOf("asq", Granularity::kRow)))
    network.push_back({.name = shape.name, .master = FirstMaster(shape, nullptr)});
  asq.TakeParameters("a", [&](const std::string& name) {
    return &*std::find_if(network.begin(), network.end(), [&](const Parameter& p) { return p.name == name; });
  });
  at::Tensor x = at::randn({3, 5, 32});
  EXPECT_TRUE(AllClose(asq.Quantize(x), lsq.Quantize(x), 1e-6));
  // A nudge of the network's end moves the loss as its gradient says.
  Parameter& out_bias = network.back();
  out_bias.master.fill_(0.1);
  const at::Tensor v = at::randn_like(x);
  for (Parameter& parameter : network) parameter.gradient.sum = at::zeros_like(parameter.master);
  torch::autograd::backward({asq.Quantize(x)}, {v});
  const double s = network.front().master.item<double>(), beta = 1 + 0.5 * std::tanh(0.1);
  QuantizerSpec spec = SpecOf("lsq", Granularity::kTensor);
  at::Tensor of_tensor = at::full({1, 1}, s * beta).requires_grad_(true);
  const double d_scale =
      torch::autograd::grad({FakeQuantizeLearned(x, of_tensor, spec, 32)}, {of_tensor}, {v})[0].item<double>();
  const double slope = 0.5 * (1 - std::tanh(0.1) * std::tanh(0.1));
  EXPECT_NEAR(out_bias.gradient.sum.item<double>(), d_scale * s * slope, 1e-4 * std::abs(d_scale));
  EXPECT_NEAR(network.front().gradient.sum.item<double>(), d_scale * beta, 1e-4 * std::abs(d_scale));
}

TEST(LearnedScalesTest, WhatIsDefinedForTheOtherSideIsRefused) {
  int refused = 0;
  for (const QuantizerSpec& spec : EverySpec({}))
    for (Side side : {Side::kWeight, Side::kActivation}) {
      if (FindEstimatorTraits(spec.estimator)->is_defined_for(side)) continue;
      ModelOptions options;
      (side == Side::kWeight ? options.weight : options.activation) = spec;
      EXPECT_NE(std::string(ValidateOptions(options, {64}).message()).find("s only"), std::string::npos)
          << DescribeSpec(spec);
      ++refused;
    }
  EXPECT_GE(refused, 20);
  ModelOptions rows = OptionsOf({"none", "lsq"});
  rows.activation.granularity = Granularity::kRow;
  EXPECT_NE(std::string(ValidateOptions(rows, {16}).message()).find("use tensor"), std::string::npos);
}

}  // namespace
}  // namespace ridgeline
