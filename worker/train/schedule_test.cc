// SPDX-License-Identifier: Apache-2.0
#include "worker/train/schedule.h"

#include <gtest/gtest.h>

namespace ridgeline {
namespace {

v1::Recipe RecipeWith(const std::string& decay) {
  v1::Recipe recipe;
  recipe.mutable_training()->set_steps(500);
  recipe.mutable_optimizer()->set_lr(1e-3);
  recipe.mutable_lr_scheduler()->set_warmup_steps(50);
  recipe.mutable_lr_scheduler()->set_lr_min(0.1);
  recipe.mutable_lr_scheduler()->set_decay_type(decay);
  return recipe;
}

TEST(ScheduleTest, WarmsUpLinearlyToThePeak) {
  v1::Recipe recipe = RecipeWith("cosine");
  EXPECT_DOUBLE_EQ(LearningRateAt(recipe, 0), 1e-3 / 50);
  EXPECT_DOUBLE_EQ(LearningRateAt(recipe, 49), 1e-3);
}

TEST(ScheduleTest, DecaysToTheMinimumByItsShape) {
  EXPECT_NEAR(LearningRateAt(RecipeWith("cosine"), 275), 1e-3 * 0.55, 1e-12);
  EXPECT_NEAR(LearningRateAt(RecipeWith("linear"), 275), 1e-3 * 0.55, 1e-12);
  EXPECT_NEAR(LearningRateAt(RecipeWith("cosine"), 500), 1e-4, 1e-12);
  EXPECT_DOUBLE_EQ(LearningRateAt(RecipeWith("none"), 499), 1e-3);
}

TEST(ScheduleTest, NoWarmUpStartsAtThePeak) {
  v1::Recipe recipe = RecipeWith("cosine");
  recipe.mutable_lr_scheduler()->set_warmup_steps(0);
  EXPECT_DOUBLE_EQ(LearningRateAt(recipe, 0), 1e-3);
}

TEST(ScheduleTest, SparsityFallsFromDenseToItsPattern) {
  v1::Recipe recipe;
  recipe.mutable_sparsity()->set_schedule_steps(100);
  const SparsityPattern quarter{.n = 1, .m = 4};
  auto kept = [&](const char* schedule, int64_t step) {
    recipe.mutable_sparsity()->set_schedule(schedule);
    return SparsityAt(recipe, quarter, step).n;
  };
  EXPECT_EQ(kept("constant", 0), 1);
  EXPECT_EQ(kept("linear", 0), 4);
  EXPECT_EQ(kept("linear", 34), 3);
  EXPECT_EQ(kept("linear", 98), 2);
  EXPECT_EQ(kept("linear", 99), 1);  // The last of the hundred steps.
  EXPECT_EQ(kept("cubic", 99), 1);
  EXPECT_EQ(kept("linear", 100), 1);
  EXPECT_EQ(kept("cubic", 13), 3);
  EXPECT_EQ(kept("cubic", 31), 2);
  EXPECT_FALSE(SparsityAt(recipe, {}, 0).is_sparse());
  recipe.mutable_sparsity()->set_schedule_steps(1);
  EXPECT_EQ(kept("linear", 0), 1);
}

}  // namespace
}  // namespace ridgeline
