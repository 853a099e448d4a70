// SPDX-License-Identifier: Apache-2.0
#include "model/gpt.h"

#include <gtest/gtest.h>

#include "method/every_spec.h"
#include "method/problems.h"
#include "model/training_pass.h"
#include "quant/autograd/torch_pch.h"
#include "quant/testing/tensors_close.h"

namespace ridgeline {
namespace {

GptConfig SmallConfig() { return {.n_layers = 2, .dim = 16, .n_heads = 2, .vocab_size = 11, .seq_len = 8}; }

std::unique_ptr<Gpt> SmallGpt(int64_t seed, const ModelOptions& options = {}) {
  return Gpt::Create(SmallConfig(), options, seed).value();
}

at::Tensor SomeTokens() { return at::arange(16, at::kLong).remainder(11).reshape({2, 8}); }

TEST(GptTest, OneSeedGivesOneModel) {
  at::Tensor a = SmallGpt(7)->Logits(SomeTokens());
  EXPECT_TRUE(at::equal(a, SmallGpt(7)->Logits(SomeTokens())));
  EXPECT_FALSE(at::equal(a, SmallGpt(8)->Logits(SomeTokens())));
}

// Checkpoints of older builds and published seeds depend on it.
TEST(GptTest, ASeedDrawsMatricesInTheOrderOfTheLayers) {
  at::Generator generator = at::detail::createCPUGenerator(7);
  const std::unique_ptr<Gpt> model = SmallGpt(7);
  const std::vector<std::pair<std::string, std::vector<int64_t>>> drawn = {
      {"wte.weight", {11, 16}},          {"wpe.weight", {8, 16}},
      {"h.0.attn.qkv.weight", {48, 16}}, {"h.0.attn.proj.weight", {16, 16}},
      {"h.0.mlp.fc.weight", {64, 16}},   {"h.0.mlp.proj.weight", {16, 64}},
      {"h.1.attn.qkv.weight", {48, 16}}, {"h.1.attn.proj.weight", {16, 16}},
      {"h.1.mlp.fc.weight", {64, 16}},   {"h.1.mlp.proj.weight", {16, 64}}};
  auto next = drawn.begin();
  for (const Parameter& parameter : model->parameters()) {
    if (!parameter.step.decays) {
      const double value = parameter.name.ends_with(".bias") ? 0 : 1;
      EXPECT_TRUE(at::equal(parameter.master, at::full_like(parameter.master, value))) << parameter.name;
      continue;
    }
    ASSERT_NE(next, drawn.end());
    EXPECT_EQ(parameter.name, next->first);
    EXPECT_TRUE(at::equal(parameter.master, at::empty(next->second).normal_(0, 0.02, generator))) << parameter.name;
    ++next;
  }
  EXPECT_EQ(next, drawn.end());
}

TEST(GptTest, ALaterTokenDoesNotChangeEarlierLogits) {
  std::unique_ptr<Gpt> model = SmallGpt(1);
  at::Tensor tokens = SomeTokens(), changed = tokens.clone();
  changed.slice(1, 7, 8).fill_(3);
  at::Tensor difference = (model->Logits(tokens) - model->Logits(changed)).abs();
  EXPECT_EQ(difference.slice(1, 0, 7).max().item<float>(), 0);
  EXPECT_GT(difference.slice(1, 7, 8).max().item<float>(), 0);
}

TEST(GptTest, EveryParameterReceivesAGradient) {
  GptConfig config = SmallConfig();
  config.has_biases = true;
  ModelOptions options;
  options.weight = options.activation = {.estimator = "ridge", .format = Format::kInt2, .block = 8};
  std::unique_ptr<Gpt> model = Gpt::Create(config, options, 1).value();
  for (Parameter& parameter : model->parameters()) parameter.gradient.sum = at::zeros_like(parameter.master);
  AccumulateGradients(model.get(), SomeTokens(), SomeTokens().roll(1, 1), 1.0);
  for (const Parameter& parameter : model->parameters())
    EXPECT_GT(parameter.gradient.sum.abs().sum().item<float>(), 0) << parameter.name;
}

TEST(GptTest, QuantizingChangesTheLogitsButNotTheEmbeddings) {
  ModelOptions options;
  options.weight = {.estimator = "ste", .format = Format::kInt1, .scheme = Scheme::kLinear};
  std::unique_ptr<Gpt> quantized = SmallGpt(1, options), plain = SmallGpt(1);
  EXPECT_FALSE(at::equal(quantized->Logits(SomeTokens()), plain->Logits(SomeTokens())));
  EXPECT_TRUE(at::equal(quantized->parameters()[0].compute, plain->parameters()[0].compute));
  EXPECT_GT(quantized->WeightErrorRatio(), 0.1);
  EXPECT_EQ(plain->WeightErrorRatio(), 0);
}

// The gradient of the embedding, as lookup and head leave it.
at::Tensor EmbeddingGradient(Gpt* model) {
  for (Parameter& parameter : model->parameters()) parameter.gradient.sum = at::zeros_like(parameter.master);
  AccumulateGradients(model, SomeTokens(), SomeTokens().roll(1, 1), 1.0);
  model->head().PassGradientThroughQuantizer();
  return model->head().gradient.sum;
}

TEST(GptTest, AnEmbeddingOfFewBitsIsLookedUpAndIsTheHeadAndPassesItsGradientWhereItDoesNotClamp) {
  std::unique_ptr<Gpt> quantized = SmallGpt(1, {.embedding = {Format::kInt4, 8}}), plain = SmallGpt(1);
  EXPECT_FALSE(at::equal(quantized->head().compute, plain->head().compute));
  at::NoGradGuard no_grad;
  plain->head().master.copy_(quantized->head().compute);
  plain->RefreshCompute();
  EXPECT_TRUE(at::equal(quantized->Logits(SomeTokens()), plain->Logits(SomeTokens())));
  at::AutoGradMode with_gradients(true);
  const at::Tensor passed = EmbeddingGradient(quantized.get());
  const at::Tensor is_clamped = passed == 0;  // Of a block its largest number, where that is positive.
  EXPECT_LE(is_clamped.sum().item<int64_t>(), passed.numel() / 8);
  EXPECT_TRUE(AllClose(passed, EmbeddingGradient(plain.get()).masked_fill(is_clamped, 0), 1e-6));
}

TEST(GptTest, NoisyWeightsAreRoundedWhileTheyAreScored) {
  const std::vector<QuantizerSpec> noisy_specs =
      EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.adds_noise; },
                 .formats = {Format::kInt2},
                 .block = 16});
  EXPECT_GE(noisy_specs.size(), 2u);
  for (const QuantizerSpec& spec : noisy_specs) {
    SCOPED_TRACE(spec.estimator);
    std::unique_ptr<Gpt> model = SmallGpt(1, {.weight = spec});
    const at::Tensor noisy = model->Logits(SomeTokens());
    model->SetHardRounding(true);
    EXPECT_FALSE(at::equal(model->Logits(SomeTokens()), noisy));
    for (const std::string& name : model->QuantizedNames())
      for (const Parameter& parameter : model->parameters()) {
        if (parameter.name != name) continue;
        EXPECT_LE(std::get<0>(at::_unique2(parameter.compute[0].slice(0, 0, 16))).numel(), 4);
      }
    model->SetHardRounding(false);
    EXPECT_TRUE(at::equal(model->Logits(SomeTokens()), noisy));
  }
}

// By how much a few steps lower the loss.
double LossLoweredBy(const ModelOptions& options) {
  std::unique_ptr<Gpt> model = SmallGpt(1, options);
  double first = 0, last = 0;
  for (int step = 0; step < 8; ++step) {
    for (Parameter& parameter : model->parameters()) parameter.gradient.sum = at::zeros_like(parameter.master);
    last = AccumulateGradients(model.get(), SomeTokens(), SomeTokens().roll(1, 1), 1.0 / 16).loss() / 16;
    if (step == 0) first = last;
    for (Parameter& parameter : model->parameters()) {
      parameter.PassGradientThroughQuantizer();
      parameter.master.sub_(parameter.gradient.sum.to(at::kFloat), 0.3);
      parameter.gradient.is_empty = true;
    }
    model->RefreshCompute();
  }
  return first - last;
}

// learned_scales_test.cc has those that learn a scale.
TEST(GptTest, EveryEstimatorTrainsInEveryFormatOnEachSideThatItIsDefinedFor) {
  at::set_num_threads(1);  // Layers this small would only wait for each other's threads.
  const std::vector<QuantizerSpec> specs =
      EverySpec({.estimators = [](const EstimatorTraits& traits) { return !traits.learns_scale(); }, .block = 16});
  EXPECT_GE(specs.size(), 300u);
  for (const QuantizerSpec& spec : specs)
    for (Side side : {Side::kWeight, Side::kActivation}) {
      if (!FindEstimatorTraits(spec.estimator)->is_defined_for(side)) continue;
      ModelOptions options;
      (side == Side::kWeight ? options.weight : options.activation) = spec;
      EXPECT_GT(LossLoweredBy(options), 0.05) << DescribeSpec(spec) << " " << SideName(side);
    }
}

// ste passes gradients as they are, and its operands are rotated back; ste_clip on a grid that clips nothing is the
// same mathematics, and its operands stay rotated.
TEST(GptTest, OperandsThatStayRotatedGiveTheProductsAndGradientsOfThoseThatAreRotatedBack) {
  const auto options_of = [](const char* estimator) {
    const QuantizerSpec spec{.estimator = estimator, .format = Format::kInt4, .block = 16, .hadamard = true};
    return ModelOptions{.weight = spec, .activation = spec};
  };
  const std::unique_ptr<Gpt> rotated = SmallGpt(1, options_of("ste_clip")), back = SmallGpt(1, options_of("ste"));
  ASSERT_TRUE(rotated->options().weight.stays_rotated && rotated->options().activation.stays_rotated);
  ASSERT_FALSE(back->options().weight.stays_rotated || back->options().activation.stays_rotated);
  EXPECT_TRUE(AllClose(rotated->Logits(SomeTokens()), back->Logits(SomeTokens()), 1e-4));
  EXPECT_NEAR(rotated->WeightErrorRatio(), back->WeightErrorRatio(), 1e-9);
  for (const auto& model : {rotated.get(), back.get()}) {
    for (Parameter& parameter : model->parameters()) parameter.gradient.sum = at::zeros_like(parameter.master);
    AccumulateGradients(model, SomeTokens(), SomeTokens().roll(1, 1), 1.0);
    for (Parameter& parameter : model->parameters()) parameter.PassGradientThroughQuantizer();
  }
  for (size_t i = 0; i < rotated->parameters().size(); ++i) {
    const Parameter &a = rotated->parameters()[i], &b = back->parameters()[i];
    EXPECT_TRUE(AllClose(a.gradient.sum, b.gradient.sum, 1e-3)) << a.name;
    EXPECT_TRUE(AllClose(a.Values(), b.Values(), 1e-5)) << a.name;
  }
}

TEST(GptTest, AnInputThatIsNotRotatedMeetsWeightsThatAreRotatedBack) {
  const QuantizerSpec spec{.estimator = "ste_clip", .format = Format::kInt4, .block = 16, .hadamard = true};
  EXPECT_FALSE(SmallGpt(1, {.weight = spec})->options().weight.stays_rotated);
  QuantizerSpec shorter = spec;
  shorter.block = 8;
  EXPECT_FALSE(SmallGpt(1, {.weight = spec, .activation = shorter})->options().weight.stays_rotated);
}

TEST(GptTest, SkippedLayersStayAsTheyAre) {
  ModelOptions options;
  options.weight = {.estimator = "ste", .format = Format::kInt1, .scheme = Scheme::kLinear};
  options.skip = {"*.mlp.*", "h.0.*"};
  EXPECT_EQ(SmallGpt(1, options)->QuantizedNames(),
            (std::vector<std::string>{"h.1.attn.qkv.weight", "h.1.attn.proj.weight"}));
}

TEST(GptTest, NanoHasTheElementsThatItsCostCounts) {
  GptConfig config = GptShape("gpt-nano").value();
  config.vocab_size = 70;
  config.seq_len = 128;
  std::unique_ptr<Gpt> model = Gpt::Create(config, {}, 1).value();
  int64_t elements = 0;
  for (const Parameter& parameter : model->parameters()) elements += parameter.master.numel();
  EXPECT_EQ(elements, 4 * (12 * 128 * 128 + 4 * 128) + 70 * 128 + 128 * 128 + 2 * 128);
  EXPECT_DOUBLE_EQ(model->Cost().storage_bytes, 2.0 * static_cast<double>(elements));
}

TEST(GptTest, SizesThatDoNotFitAreRefused) {
  GptConfig config = SmallConfig();
  config.n_heads = 3;
  EXPECT_EQ(Gpt::Create(config, {}, 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(GptShape("gpt-5").ok());
}

}  // namespace
}  // namespace ridgeline
