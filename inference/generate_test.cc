// SPDX-License-Identifier: Apache-2.0
#include "inference/generate.h"

#include <gtest/gtest.h>

#include "fmt/format.h"
#include "model/load_model.h"
#include "quant/autograd/torch_pch.h"
#include "quant/testing/tensors_close.h"

namespace ridgeline {
namespace {

constexpr char kModels[][32] = {"gemma3-270m-like", "gemma3-4b-like", "gpt2-like"};
const std::vector<uint32_t> kPrompt = {2, 7, 40, 11, 5, 23};

std::unique_ptr<LanguageModel> Load(const std::string& name) {
  return LoadModel(fmt::format("{}/{}", RIDGELINE_MODELS, name), {}).value();
}

Generation Continue(LanguageModel* model, const GenerationOptions& options) {
  return Generate(model, kPrompt, options, [](uint32_t) { return true; }).value();
}

// The whole sequence through the network for each token.
std::vector<uint32_t> GreedyWithoutCache(LanguageModel* model, int count) {
  std::vector<int64_t> ids(kPrompt.begin(), kPrompt.end());
  for (int i = 0; i < count; ++i) {
    const at::Tensor logits = model->Logits(at::tensor(ids, at::kLong).unsqueeze(0));
    ids.push_back(logits.select(1, -1).argmax(-1).item<int64_t>());
  }
  return {ids.begin() + static_cast<std::ptrdiff_t>(kPrompt.size()), ids.end()};
}

TEST(GenerateTest, TheCacheChangesNoToken) {
  for (const char* name : kModels) {
    const auto model = Load(name);
    const Generation generation = Continue(model.get(), {.sampling = {.temperature = 0}, .max_new_tokens = 16});
    EXPECT_EQ(generation.ids, GreedyWithoutCache(model.get(), 16)) << name;
    EXPECT_EQ(generation.end, "length");
  }
}

TEST(GenerateTest, LogitsAgainstTheCacheAreThoseOfTheWholeSequence) {
  for (const char* name : kModels) {
    const auto model = Load(name);
    const at::Tensor ids = at::arange(0, 24, at::kLong).mul(5).remainder(61).view({1, 24});
    KvCache cache;
    std::vector<at::Tensor> pieces;
    for (auto [begin, count] : {std::pair{0, 9}, {9, 1}, {10, 1}, {11, 12}, {23, 1}})
      pieces.push_back(model->Logits(ids.narrow(1, begin, count), &cache));
    EXPECT_TRUE(AllClose(at::cat(pieces, 1), model->Logits(ids), 1e-4)) << name;
  }
}

TEST(GenerateTest, SeedDecidesAndTopOneIsGreedy) {
  const auto model = Load("gpt2-like");
  const GenerationOptions sampled{.sampling = {.temperature = 1.5, .seed = 3}, .max_new_tokens = 20};
  EXPECT_EQ(Continue(model.get(), sampled).ids, Continue(model.get(), sampled).ids);
  GenerationOptions other = sampled;
  other.sampling.seed = 4;
  EXPECT_NE(Continue(model.get(), sampled).ids, Continue(model.get(), other).ids);
  other.sampling.top_k = 1;
  EXPECT_EQ(Continue(model.get(), other).ids, GreedyWithoutCache(model.get(), 20));
}

TEST(GenerateTest, EndsAtEosWhichIsNotPartOfTheText) {
  const auto model = Load("gpt2-like");
  const std::vector<uint32_t> greedy = GreedyWithoutCache(model.get(), 10);
  GenerationOptions options{.sampling = {.temperature = 0}, .max_new_tokens = 10, .eos_id = greedy[4]};
  const Generation generation = Continue(model.get(), options);
  const auto first = std::find(greedy.begin(), greedy.end(), greedy[4]);
  EXPECT_EQ(generation.ids, std::vector<uint32_t>(greedy.begin(), first));
  EXPECT_EQ(generation.end, "eos");
}

TEST(GenerateTest, EndsWhereTheModelHasNoMorePositions) {
  const auto model = Load("gpt2-like");
  const Generation generation = Continue(model.get(), {.sampling = {.temperature = 0}, .max_new_tokens = 1000});
  EXPECT_EQ(generation.end, "context");
  // The last token needs no position: nothing is computed after it.
  EXPECT_EQ(generation.ids.size(), static_cast<size_t>(model->max_length()) - kPrompt.size() + 1);
}

TEST(GenerateTest, ChoosesAmongTheTokenizersIdsAlone) {
  const auto model = Load("gpt2-like");
  for (uint32_t id :
       Continue(model.get(), {.sampling = {.temperature = 50}, .max_new_tokens = 26, .vocab_size = 10}).ids)
    EXPECT_LT(id, 10u);
}

TEST(GenerateTest, StopsWhenTheReaderHasEnough) {
  const auto model = Load("gpt2-like");
  int seen = 0;
  const auto generation = Generate(model.get(), kPrompt, {}, [&](uint32_t) { return ++seen < 3; });
  EXPECT_EQ(generation->ids.size(), 3u);
  EXPECT_EQ(generation->end, "interrupted");
}

TEST(GenerateTest, RefusesPromptsThatTheModelCannotRead) {
  const auto model = Load("gpt2-like");
  const auto status = [&](const std::vector<uint32_t>& prompt) {
    return Generate(model.get(), prompt, {}, [](uint32_t) { return true; }).status().code();
  };
  EXPECT_EQ(status({}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status({61}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status(std::vector<uint32_t>(33, 1)), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ridgeline
