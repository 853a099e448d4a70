// SPDX-License-Identifier: Apache-2.0
// What `ridgeline plan` says of ranks that share a model: memory, traffic, and what hides behind computation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "plan/overlap.h"
#include "plan/plan.h"
#include "plan/traffic.h"
#include "recipes/recipe_reader.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;
using Set = std::vector<RecipeOverride>;

v1::Recipe RecipeOf(const std::string& model, const Set& set) {
  RecipeReadResult read = ReadRecipe("dataset: {path: nowhere}\nmodel: {name: " + model + "}\n", "recipe", set);
  EXPECT_TRUE(read.problems.empty()) << read.problems.front().ToString();
  ApplyRecipeDefaults(&read.recipe);
  return read.recipe;
}

// In bfloat16, a pass a step on up to 64 ranks.
Plan PlanOf(const std::string& model, int64_t ranks, Set set, const char* device = "h100") {
  set.insert(set.begin(), {{"training.dtype", "bfloat16"}, {"training.global_batch_size", "64"}});
  if (ranks < 64) set.emplace_back("training.local_batch_size", std::to_string(64 / ranks));
  return PlanJob(RecipeOf(model, set), 0, ranks, FindDevice(device).value()).value();
}

const Set kAll = {{"parallelism.shard_degree", "0"}};

Set With(Set set, const Set& more) {
  set.insert(set.end(), more.begin(), more.end());
  return set;
}

const Set kInt4 = With(kAll, {{"quant.estimator", "ridge_trust"}, {"quant.weight.format", "int4"}});

TEST(SharingTest, StateShrinksWithTheRanksThatShareIt) {
  const Plan one = PlanOf("gemma3-1b", 1, {}), eight = PlanOf("gemma3-1b", 8, kAll);
  EXPECT_EQ(eight.degrees.shard, 8);
  EXPECT_NEAR(static_cast<double>(eight.memory.optimizer_bytes) / static_cast<double>(one.memory.optimizer_bytes),
              1.0 / 8, 1e-3);
  EXPECT_EQ(eight.memory.gradients_bytes, eight.memory.masters_bytes) << "sums are float32";
  EXPECT_GT(eight.memory.in_flight_bytes, 0);
  EXPECT_LT(eight.memory.peak_bytes(), one.memory.peak_bytes());
}

TEST(SharingTest, OneRankThatSharesWithItselfIsPlannedLikeOneThatHoldsEverything) {
  const Plan shared = PlanOf("gpt2", 1, kAll), whole = PlanOf("gpt2", 1, {});
  EXPECT_EQ(shared.memory.peak_bytes(), whole.memory.peak_bytes());
  EXPECT_EQ(shared.work.traffic.total(), 0);
}

TEST(SharingTest, CopiesDivideNothing) {
  const Plan copies = PlanOf("gemma3-1b", 8, {{"parallelism.shard_degree", "4"}}), four = PlanOf("gemma3-1b", 4, kAll);
  EXPECT_EQ(copies.degrees.replicate, 2);
  EXPECT_EQ(copies.memory.masters_bytes, four.memory.masters_bytes);
  EXPECT_GT(copies.work.traffic.rest, four.work.traffic.rest);
  EXPECT_EQ(copies.work.traffic.gathers, four.work.traffic.gathers);
}

TEST(SharingTest, DroppedBlocksAreGatheredTwiceButTheLast) {
  const Set kept = With(kAll, {{"parallelism.reshard_after_forward", "false"}});
  const Plan drops = PlanOf("gpt2", 4, kAll), keeps = PlanOf("gpt2", 4, kept);
  const double block = 12.0 * 768 * 768 * 2 * 3 / 4, outer = (50257.0 + 1024) * 768 * 2 * 3 / 4;
  EXPECT_NEAR(keeps.work.traffic.gathers, 12 * block + outer, 1e4);
  EXPECT_NEAR(drops.work.traffic.gathers - keeps.work.traffic.gathers, 11 * block, 1);
  EXPECT_EQ(drops.work.traffic.gradients, keeps.work.traffic.gradients);
  EXPECT_LT(drops.memory.gathered_bytes, keeps.memory.gathered_bytes);
}

TEST(SharingTest, EveryPassGathersAndReduces) {
  const Plan once = PlanOf("gpt2", 4, kInt4),
             twice = PlanOf("gpt2", 4, With(kInt4, {{"training.global_batch_size", "128"}}));
  EXPECT_EQ(twice.work.traffic.gathers, 2 * once.work.traffic.gathers);
  EXPECT_EQ(twice.work.traffic.gradients, 2 * once.work.traffic.gradients);
  EXPECT_EQ(twice.work.traffic.rest, once.work.traffic.rest);
}

// Two gathers of 2 bytes and a gradient of 2: what the same plan says of an unquantized network comes close, since only
// the embedding and the last block are gathered once.
TEST(SharingTest, AnUnquantizedNetworkTravelsAsInFsdpAndCodesTakeTheirShareOfIt) {
  const Set bfloat16 = {{"parallelism.gradient_dtype", "bfloat16"}}, int8 = {{"parallelism.gradient_dtype", "int8"}};
  const Plan plain = PlanOf("gemma3-1b", 8, With(kAll, bfloat16)), int4 = PlanOf("gemma3-1b", 8, With(kInt4, bfloat16)),
             least = PlanOf("gemma3-1b", 8, With(kInt4, int8));
  const double parameters = 999'885'952, embedding = 262144.0 * 1152, block = (parameters - embedding) / 26;
  EXPECT_EQ(plain.work.fsdp_bytes, 6 * parameters * 7 / 8);
  EXPECT_NEAR(plain.work.traffic.total() / plain.work.fsdp_bytes, 1 - (embedding + block) / 3 / parameters, 1e-3);
  const double bits = 4 + 2.0 * 16 / 128;
  EXPECT_NEAR((plain.work.traffic.gathers - int4.work.traffic.gathers) / plain.work.traffic.gathers,
              (1 - bits / 16) * 51 / (51 + embedding / block), 1e-3);
  EXPECT_NEAR(least.work.traffic.gradients / int4.work.traffic.gradients, (1 + 4.0 / 128) / 2, 1e-6);
}

TEST(SharingTest, WhatTravelsWithinANodeTakesItsFasterLink) {
  const Device h100 = FindDevice("h100").value();
  EXPECT_EQ(LinkOf(h100, 8), 450e9);
  EXPECT_EQ(LinkOf(h100, 9), 50e9);
  EXPECT_EQ(LinkOf(FindDevice("cpu").value(), 2), 1.25e9);
}

// Two blocks, one second of the link each way: the first gathers and the last gradients are exposed, the rest waits for
// no one as long as blocks compute for longer.
TEST(SharingTest, OnlyWhatTakesLongerThanTheComputationBesideItIsExposed) {
  Device device{.link_bytes_per_second = 1};
  const UnitPart part{.gather_bytes = 1, .gradient_bytes = 1};
  const SharedUnit unit{.numbers = 2, .parts = {part, part}, .whole = {.gather_bytes = 2, .gradient_bytes = 2}};
  const SharedModel model{.units = {unit, unit, unit}, .ranks = std::vector<RankHolding>(2), .whole_numbers = 0};
  const Degrees degrees{.shard = 2};
  auto seconds_of = [&](double forward, double backward, bool reshards) {
    return SharedSeconds(model, degrees, {.passes = 2, .reshards = reshards},
                         {.forward = {forward, forward}, .backward = {backward, backward}}, /*rest_bytes=*/5, device);
  };
  // Gathers: outer, 0, 1, and 0 again; gradients: 1, 0, outer.
  const WireSeconds hidden = seconds_of(1, 1, true);
  EXPECT_EQ(hidden.all, 2 * 7 + 5);
  EXPECT_EQ(hidden.exposed, 2 * (2 + 2) + 5);
  EXPECT_EQ(seconds_of(1, 1, false).all, 2 * 6 + 5);
  EXPECT_EQ(seconds_of(0.75, 0.5, true).exposed, 2 * (2 + 0.25 + 0.25 + 0.5 + 2) + 5);
  const WireSeconds unknown = seconds_of(0, 0, true);
  EXPECT_EQ(unknown.exposed, unknown.all);
}

// float64 beside the float32 that it becomes.
TEST(SharingTest, DeterministicSumsAreTwiceAsWide) {
  const Set wide = {{"training.deterministic", "true"}}, hybrid = {{"parallelism.shard_degree", "2"}};
  for (const Set& set : {Set{}, hybrid}) {
    const Plan plain = PlanOf("gpt2", 64, set), sums = PlanOf("gpt2", 64, With(set, wide));
    EXPECT_EQ(sums.work.traffic.gathers, plain.work.traffic.gathers);
    const double narrow = set.empty() ? plain.work.traffic.gradients : plain.work.traffic.rest;
    EXPECT_NEAR((set.empty() ? sums.work.traffic.gradients : sums.work.traffic.rest) / narrow, 2, 1e-4);
    EXPECT_EQ(sums.memory.gradients_bytes, 3 * plain.memory.masters_bytes);
  }
}

TEST(SharingTest, DegreesThatDoNotComeToTheRanksAreAnError) {
  const v1::Recipe recipe = RecipeOf("gpt2", {{"parallelism.shard_degree", "3"}});
  const absl::Status status = PlanJob(recipe, 0, 8, FindDevice("h100").value()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("parallelism.shard_degree"));
}

}  // namespace
}  // namespace ridgeline
