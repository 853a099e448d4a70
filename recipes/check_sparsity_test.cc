// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "recipes/testing.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// `lines` after a dataset, which every recipe needs; they start on line 2.
std::vector<std::string> Problems(const std::string& lines) { return ProblemsOf("dataset: {path: x}\n" + lines); }

TEST(SparsityRulesTest, APatternNeedsNoQuantizer) {
  for (const char* pattern : {"dense", "2:4", "4:8", "1:4", "1:1", "32:32", "1:32"}) {
    EXPECT_THAT(Problems(fmt::format("sparsity: {{pattern: {}}}\n", pattern)), IsEmpty()) << pattern;
  }
}

TEST(SparsityRulesTest, WhatIsNoPatternIsRefusedWithExamples) {
  EXPECT_THAT(
      Problems("sparsity: {pattern: 4:2}\n"),
      ElementsAre("r:2:21: sparsity.pattern: '4:2' is no pattern (write dense, or N:M with 1 <= N <= M <= 32, like "
                  "2:4, 4:8 or 1:4)"));
  for (const char* pattern : {"0:4", "1:33", "-1:4", "+1:4", "02:4", "2:4:8", "2", ":", "2:", ":4", "2:4x", " 2:4",
                              "2: 4", "Dense", "1:99999999999999999999", "2/4"}) {
    EXPECT_THAT(Problems(fmt::format("sparsity: {{pattern: '{}'}}\n", pattern)),
                ElementsAre(HasSubstr("is no pattern")))
        << pattern;
  }
}

TEST(SparsityRulesTest, APrunedWeightMustBeANumberOfItsGrid) {
  const std::string sparse = "sparsity: {pattern: 2:4}\nquant: {estimator: ridge, ";
  EXPECT_THAT(Problems(sparse + "weight: {format: int1, scheme: affine}}\n"),
              ElementsAre("r:3:58: quant.weight.scheme: affine codes decode about a block's mean, and numbers that "
                          "sparsity 2:4 prunes are zero (use linear)"));
  EXPECT_THAT(
      Problems(sparse + "weight: {format: int1, scheme: linear}, activation: {format: int4, scheme: affine}}\n"),
      IsEmpty());
  EXPECT_THAT(Problems(sparse + "activation: {format: int4}}\n"), IsEmpty()) << "the weights have no grid";
}

TEST(SparsityRulesTest, GroupsLieWithinBlocksAndRows) {
  const std::string quant = "quant: {estimator: ste, weight: {format: int4, scheme: linear, block: ";
  EXPECT_THAT(
      Problems("sparsity: {pattern: 4:8}\n" + quant + "12}}\n"),
      ElementsAre("r:3:71: quant.weight.block: 12 is no multiple of 8, and sparsity is 4:8 (use a multiple of 8)"));
  EXPECT_THAT(Problems("sparsity: {pattern: 4:8}\n" + quant + "12, granularity: row}}\n"), IsEmpty());
  EXPECT_THAT(Problems("sparsity: {pattern: 2:3}\n"),
              ElementsAre("r:2:21: sparsity.pattern: groups of 3 do not divide rows of 128 features (choose a pattern "
                          "whose M divides them)"));
  EXPECT_THAT(Problems("model: {path: p}\nsparsity: {pattern: 2:3}\n"), IsEmpty()) << "only the weights know";
}

TEST(SparsityRulesTest, AnEstimatorWithoutASparseFormIsRefusedWithThoseThatHaveOne) {
  EXPECT_THAT(Problems("sparsity: {pattern: 2:4}\nquant: {estimator: bitnet, weight: {format: ternary}}\n"),
              ElementsAre("r:3:20: quant.estimator: bitnet has no sparse form (use ridge, ste, quest or ridge_trust)"));
}

TEST(SparsityRulesTest, ADecayNeedsSomethingThatIsPruned) {
  EXPECT_THAT(Problems("sparsity: {pattern: 2:4, mask_decay: 2e-4, mask_decay_kind: decoupled}\n"), IsEmpty());
  EXPECT_THAT(Problems("sparsity: {mask_decay: 2e-4}\n"),
              ElementsAre("r:2:24: sparsity.mask_decay: 0.0002 has nothing to decay: sparsity.pattern is dense (set "
                          "sparsity.pattern to a pattern such as 2:4, or remove the key)"));
}

TEST(SparsityRulesTest, ThePatternIsReachedWithinTheRun) {
  EXPECT_THAT(Problems("training: {steps: 10}\nsparsity: {pattern: 2:4, schedule: linear, schedule_steps: 10}\n"),
              IsEmpty());
  EXPECT_THAT(Problems("training: {steps: 10}\nsparsity: {pattern: 2:4, schedule: linear, schedule_steps: 11}\n"),
              ElementsAre("r:3:60: sparsity.schedule_steps: 11 is over training.steps, which is 10 (at most 10)"));
  EXPECT_THAT(Problems("lr_scheduler: {warmup_steps: 0}\nsparsity: {schedule: cubic}\n"
                       "sweep: {parameters: {training.steps: [1, 7], sparsity.pattern: ['2:4', dense]}}\n"),
              IsEmpty());
}

}  // namespace
}  // namespace ridgeline
