// SPDX-License-Identifier: Apache-2.0
#include "model/gpt.h"

#include <gtest/gtest.h>

#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

GptConfig SmallConfig() { return {.n_layers = 2, .dim = 16, .n_heads = 2, .vocab_size = 11, .seq_len = 8}; }

at::Tensor SomeTokens() { return at::arange(16, at::kLong).remainder(11).reshape({2, 8}); }

TEST(GptTest, OneSeedGivesOneModel) {
  Gpt a = Gpt::Create(SmallConfig(), 7).value(), b = Gpt::Create(SmallConfig(), 7).value();
  Gpt c = Gpt::Create(SmallConfig(), 8).value();
  EXPECT_TRUE(at::equal(a.Logits(SomeTokens()), b.Logits(SomeTokens())));
  EXPECT_FALSE(at::equal(a.Logits(SomeTokens()), c.Logits(SomeTokens())));
}

TEST(GptTest, ALaterTokenDoesNotChangeEarlierLogits) {
  Gpt model = Gpt::Create(SmallConfig(), 1).value();
  at::Tensor tokens = SomeTokens(), changed = tokens.clone();
  changed.slice(1, 7, 8).fill_(3);
  at::Tensor difference = (model.Logits(tokens) - model.Logits(changed)).abs();
  EXPECT_EQ(difference.slice(1, 0, 7).max().item<float>(), 0);
  EXPECT_GT(difference.slice(1, 7, 8).max().item<float>(), 0);
}

TEST(GptTest, EveryParameterReceivesAGradient) {
  GptConfig config = SmallConfig();
  config.weight = config.activation = {.estimator = "ridge", .format = Format::kInt2, .block = 8};
  Gpt model = Gpt::Create(config, 1).value();
  model.Logits(SomeTokens()).square().sum().backward();
  for (const NamedParameter& parameter : model.parameters()) {
    ASSERT_TRUE(parameter.tensor.grad().defined()) << parameter.name;
    EXPECT_GT(parameter.tensor.grad().abs().sum().item<float>(), 0) << parameter.name;
  }
}

TEST(GptTest, QuantizingChangesTheLogitsButNotTheEmbeddings) {
  GptConfig config = SmallConfig();
  config.weight = {.estimator = "ste", .format = Format::kInt1, .scheme = Scheme::kLinear};
  Gpt quantized = Gpt::Create(config, 1).value(), plain = Gpt::Create(SmallConfig(), 1).value();
  EXPECT_FALSE(at::equal(quantized.Logits(SomeTokens()), plain.Logits(SomeTokens())));
  EXPECT_TRUE(at::equal(quantized.parameters()[0].tensor, plain.parameters()[0].tensor));
  EXPECT_GT(quantized.WeightErrorRatio(), 0.1);
  EXPECT_EQ(plain.WeightErrorRatio(), 0);
}

TEST(GptTest, NanoHasTheElementsThatItsCostCounts) {
  GptConfig config = GptShape("gpt-nano").value();
  config.vocab_size = 70;
  config.seq_len = 128;
  Gpt model = Gpt::Create(config, 1).value();
  int64_t elements = 0;
  for (const NamedParameter& parameter : model.parameters()) elements += parameter.tensor.numel();
  EXPECT_EQ(elements, 4 * (12 * 128 * 128 + 4 * 128) + 70 * 128 + 128 * 128 + 2 * 128);
  EXPECT_DOUBLE_EQ(model.Cost().storage_bytes, 2.0 * static_cast<double>(elements));
}

TEST(GptTest, SizesThatDoNotFitAreRefused) {
  GptConfig config = SmallConfig();
  config.n_heads = 3;
  EXPECT_EQ(Gpt::Create(config, 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(GptShape("gpt-5").ok());
}

}  // namespace
}  // namespace ridgeline
