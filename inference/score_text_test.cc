// SPDX-License-Identifier: Apache-2.0
#include "inference/score_text.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/load_model.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

std::unique_ptr<LanguageModel> Load() { return LoadModel(std::string(RIDGELINE_MODELS) + "/gpt2-like", {}).value(); }

std::vector<uint32_t> Ids(size_t count) {
  std::vector<uint32_t> ids;
  for (size_t i = 0; i < count; ++i) ids.push_back(static_cast<uint32_t>((i * i + 3 * i) % 61));
  return ids;
}

// Sum over the targets of one window, by LibTorch's own cross-entropy.
double WindowLoss(LanguageModel* model, std::vector<int64_t> inputs, std::vector<int64_t> targets) {
  const at::Tensor logits = model->Logits(at::tensor(inputs, at::kLong).unsqueeze(0)).squeeze(0).to(at::kDouble);
  return at::nll_loss(at::log_softmax(logits, -1), at::tensor(targets, at::kLong), {}, at::Reduction::Sum)
      .item<double>();
}

TEST(ScoreTokensTest, ATextThatFitsIsOneWindowAfterBos) {
  const auto model = Load();
  const std::vector<uint32_t> ids = Ids(10);
  const TextScore score = ScoreTokens(model.get(), ids, {.seq_len = 32, .batch = 4, .bos = 2}).value();
  std::vector<int64_t> inputs = {2}, targets(ids.begin(), ids.end());
  inputs.insert(inputs.end(), targets.begin(), targets.end() - 1);
  EXPECT_EQ(score.tokens, 10);
  EXPECT_NEAR(score.loss, WindowLoss(model.get(), inputs, targets) / 10, 1e-5);
  EXPECT_DOUBLE_EQ(score.perplexity, std::exp(score.loss));
  EXPECT_GE(score.accuracy, 0);
  EXPECT_LE(score.accuracy, 1);
}

TEST(ScoreTokensTest, EveryTokenOfALongerTextIsScoredOnceWhateverTheBatch) {
  const auto model = Load();
  const std::vector<uint32_t> ids = Ids(59);
  double sum = 0;
  for (size_t begin = 0; begin < ids.size(); begin += 8) {
    const std::vector<int64_t> targets(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                       ids.begin() + static_cast<std::ptrdiff_t>(std::min(begin + 8, ids.size())));
    std::vector<int64_t> inputs = {2};
    inputs.insert(inputs.end(), targets.begin(), targets.end() - 1);
    sum += WindowLoss(model.get(), inputs, targets);
  }
  for (int64_t batch : {1, 2, 5, 100}) {
    const TextScore score = ScoreTokens(model.get(), ids, {.seq_len = 8, .batch = batch, .bos = 2}).value();
    EXPECT_EQ(score.tokens, 59);
    EXPECT_NEAR(score.loss, sum / 59, 1e-5) << batch;
  }
}

TEST(ScoreTokensTest, WithoutBosTheFirstTokenAloneIsNotScored) {
  const auto model = Load();
  const std::vector<uint32_t> ids = Ids(20);
  const TextScore score = ScoreTokens(model.get(), ids, {.seq_len = 32}).value();
  EXPECT_EQ(score.tokens, 19);
  EXPECT_NEAR(score.loss, WindowLoss(model.get(), {ids.begin(), ids.end() - 1}, {ids.begin() + 1, ids.end()}) / 19,
              1e-5);
  EXPECT_EQ(ScoreTokens(model.get(), ids, {.seq_len = 6, .batch = 2}).value().tokens, 19);
}

TEST(ScoreTokensTest, RefusesWhatTheModelCannotScore) {
  const auto model = Load();
  const auto code = [&](const std::vector<uint32_t>& ids, const ScoreOptions& options) {
    return ScoreTokens(model.get(), ids, options).status().code();
  };
  EXPECT_EQ(code({}, {.seq_len = 8, .bos = 2}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({5}, {.seq_len = 8}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({5, 61}, {.seq_len = 8}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({5, 6}, {.seq_len = 33}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Ids(9), {.seq_len = 4, .progress = [](int64_t, int64_t) { return false; }}),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace ridgeline
