// SPDX-License-Identifier: Apache-2.0
#include "inference/sampler.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <set>

namespace ridgeline {
namespace {

const std::vector<float> kLogits = {0.5f, 2.0f, -1.0f, 2.0f, 1.0f};

std::vector<uint32_t> Draws(const SamplingOptions& options, int count, const std::vector<float>& logits = kLogits) {
  Sampler sampler(options);
  std::vector<uint32_t> ids;
  for (int i = 0; i < count; ++i) ids.push_back(sampler.Choose(logits).value());
  return ids;
}

TEST(SamplerTest, GreedyAndTopOneTakeTheFirstOfTheMostProbable) {
  EXPECT_EQ(Draws({.temperature = 0}, 3), (std::vector<uint32_t>{1, 1, 1}));
  EXPECT_EQ(Draws({.temperature = 5, .top_k = 1, .seed = 9}, 3), (std::vector<uint32_t>{1, 1, 1}));
}

TEST(SamplerTest, TheSeedAloneDecides) {
  EXPECT_EQ(Draws({.seed = 4}, 50), Draws({.seed = 4}, 50));
  EXPECT_NE(Draws({.seed = 4}, 50), Draws({.seed = 5}, 50));
}

TEST(SamplerTest, TopKDrawsAmongThoseAlone) {
  const auto ids = Draws({.temperature = 10, .top_k = 3}, 300);
  EXPECT_EQ(std::set<uint32_t>(ids.begin(), ids.end()), (std::set<uint32_t>{1, 3, 4}));
}

TEST(SamplerTest, DrawsAsOftenAsTheSoftmaxSays) {
  constexpr double kTemperature = 0.7;
  constexpr int kDraws = 20'000;
  std::array<double, 5> expected{}, seen{};
  double sum = 0;
  for (size_t i = 0; i < 5; ++i) sum += expected[i] = std::exp(kLogits[i] / kTemperature);
  for (uint32_t id : Draws({.temperature = kTemperature, .seed = 1}, kDraws)) seen[id] += 1.0 / kDraws;
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(seen[i], expected[i] / sum, 0.015) << i;  // Over four standard deviations.
}

TEST(SamplerTest, ImpossibleTokensAreNeverDrawn) {
  const float none = -std::numeric_limits<float>::infinity();
  const auto ids = Draws({.temperature = 100}, 200, {none, 0.0f, none, 0.0f, none});
  EXPECT_EQ(std::set<uint32_t>(ids.begin(), ids.end()), (std::set<uint32_t>{1, 3}));
}

TEST(SamplerTest, LogitsThatAreNoNumbersAreAnError) {
  Sampler sampler({});
  const std::vector<float> bad = {0.0f, std::nanf(""), 1.0f};
  EXPECT_EQ(sampler.Choose(bad).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace ridgeline
