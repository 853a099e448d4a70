// SPDX-License-Identifier: Apache-2.0
// Sweeps of method random and asha: what they draw, their rungs, and what is refused.
#include "recipes/sweep_draws.h"

#include <cmath>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "recipes/asha_rungs.h"
#include "recipes/recipe_reader.h"
#include "recipes/testing.h"

namespace ridgeline {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> Strings(const std::vector<RecipeProblem>& problems) {
  std::vector<std::string> texts;
  for (const RecipeProblem& problem : problems) texts.push_back(problem.ToString());
  return texts;
}

const std::string kStart = "name: r\ndataset: {path: x}\n";

std::vector<v1::Recipe> Expand(const std::string& yaml) {
  RecipeReadResult result = ReadRecipe(yaml, "r", {});
  EXPECT_THAT(Strings(result.problems), IsEmpty());
  absl::StatusOr<std::vector<v1::Recipe>> children = ExpandSweep(result.recipe);
  EXPECT_TRUE(children.ok()) << children.status();
  return children.ok() ? *children : std::vector<v1::Recipe>();
}

v1::SweepValues Range(double min, double max, const std::string& scale) {
  v1::SweepValues range;
  range.set_min(min);
  range.set_max(max);
  range.set_scale(scale);
  return range;
}

double Drawn(const v1::SweepValues& values, int64_t trial) {
  return std::strtod(recipe_internal::DrawValue(values, "optimizer.lr", 7, trial).c_str(), nullptr);
}

TEST(RandomSweepTest, TrialsAreNumberedAndWhole) {
  const std::vector<v1::Recipe> children =
      Expand(kStart +
             "quant: {weight: {format: int4}}\nsweep:\n  method: random\n  trials: 3\n  parameters:\n"
             "    optimizer.lr: {min: 1e-4, max: 1e-2, scale: log}\n    quant.estimator: [ste, ridge]\n");
  ASSERT_THAT(children, SizeIs(3));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_THAT(children[i].name(), HasSubstr("r/trial=" + std::to_string(i + 1) + ",optimizer.lr="));
    EXPECT_THAT(ValidateRecipe(children[i]), IsEmpty());
    EXPECT_GE(children[i].optimizer().lr(), 1e-4);
    EXPECT_LE(children[i].optimizer().lr(), 1e-2);
  }
}

TEST(RandomSweepTest, SeedDecidesTheDrawsAndOneMoreParameterChangesNoOther) {
  const std::string sweep = kStart +
                            "sweep:\n  method: random\n  trials: 4\n  seed: 5\n  parameters:\n"
                            "    optimizer.lr: {min: 1e-4, max: 1e-2, scale: log}\n";
  const std::vector<v1::Recipe> once = Expand(sweep), again = Expand(sweep);
  const std::vector<v1::Recipe> more = Expand(sweep + "    training.seed: [1, 2, 3]\n");
  const std::vector<v1::Recipe> other = Expand(kStart +
                                               "sweep:\n  method: random\n  trials: 4\n  seed: 6\n"
                                               "  parameters: {optimizer.lr: {min: 1e-4, max: 1e-2, scale: log}}\n");
  std::set<double> distinct;
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(once[i].optimizer().lr(), again[i].optimizer().lr());
    EXPECT_EQ(once[i].optimizer().lr(), more[i].optimizer().lr());
    EXPECT_NE(once[i].optimizer().lr(), other[i].optimizer().lr());
    distinct.insert(once[i].optimizer().lr());
  }
  EXPECT_THAT(distinct, SizeIs(4));
}

TEST(RandomSweepTest, ALogScaleGivesEachOrderOfMagnitudeItsShare) {
  const v1::SweepValues range = Range(1e-4, 1e-1, "log");
  int decades[3] = {};
  for (int64_t trial = 0; trial < 3000; ++trial) {
    const double value = Drawn(range, trial);
    ASSERT_GE(value, 1e-4);
    ASSERT_LE(value, 1e-1);
    ++decades[std::min(2, static_cast<int>(std::floor(std::log10(value) + 4)))];
  }
  for (int count : decades) EXPECT_NEAR(count, 1000, 120);
}

TEST(RandomSweepTest, ALinearScaleIsEven) {
  double sum = 0;
  for (int64_t trial = 0; trial < 2000; ++trial) sum += Drawn(Range(2, 4, "linear"), trial);
  EXPECT_NEAR(sum / 2000, 3, 0.05);
}

TEST(RandomSweepTest, KeysOfWholeNumbersGetThem) {
  std::set<std::string> drawn;
  for (int64_t trial = 0; trial < 200; ++trial)
    drawn.insert(recipe_internal::DrawValue(Range(1, 3, "linear"), "training.seed", 1, trial));
  EXPECT_THAT(drawn, ElementsAre("1", "2", "3"));
}

struct Mistake {
  const char* sweep;
  const char* expected;
};

TEST(RandomSweepTest, MistakesAreToldWithTheirPlace) {
  const Mistake mistakes[] = {
      {"{method: random, parameters: {optimizer.lr: [1, 2]}}", "sweep.trials: is required by method random"},
      {"{method: random, trials: 2}", "sweep.parameters: is required by method random"},
      {"{method: random, trials: 2, parameters: {optimizer.lr: {min: 2, max: 1}}}", "min 2 is not below max 1"},
      {"{method: random, trials: 2, parameters: {optimizer.lr: {min: 0, max: 1, scale: log}}}",
       "a log scale has no place for 0 or less"},
      {"{method: random, trials: 2, parameters: {optimizer.lr: {min: 1}}}", "a range needs min and max"},
      {"{method: random, trials: 2, parameters: {optimizer.lr: {min: 1, max: 2, scale: cubic}}}", "scale 'cubic'"},
      {"{method: random, trials: 2, parameters: {optimizer.lr: {min: 1, max: 2, skale: log}}}", "unknown key 'skale'"},
      {"{method: random, trials: 2, parameters: {optimizer.lr: {min: 1, max: 2, values: [3]}}}",
       "has values and a range"},
      {"{method: random, trials: 2, parameters: {quant.estimator: {min: 1, max: 2}}}", "quant.estimator"},
      {"{parameters: {optimizer.lr: {min: 1e-4, max: 1e-3}}}", "a grid takes a list of values"},
      {"{parameters: {optimizer.lr: [1e-4]}, trials: 4}", "sweep.trials: method grid does not look at it"},
      {"{method: random, trials: 2, reduction: 4, parameters: {optimizer.lr: [1e-4]}}",
       "sweep.reduction: method random does not look at it"},
      {"{method: random, trials: 20000, parameters: {optimizer.lr: [1e-4]}}", "sweep.trials"},
      {"{method: asha, trials: 4, parameters: {training.steps: [10, 20]}}", "all go to the same step"},
      {"{method: asha, trials: 4, min_steps: 500, parameters: {optimizer.lr: [1e-4]}}", "is not below training.steps"},
      {"{method: asha, trials: 4, metric: second_loss, parameters: {optimizer.lr: [1e-4]}}",
       "is measured on validation.second_path"},
  };
  for (const Mistake& mistake : mistakes) {
    const RecipeReadResult result = ReadRecipe(kStart + "sweep: " + mistake.sweep + "\n", "r", {});
    EXPECT_THAT(Strings(result.problems), Contains(HasSubstr(mistake.expected))) << mistake.sweep;
  }
}

TEST(RandomSweepTest, AWrittenRecipeReadsBack) {
  const std::string yaml = kStart +
                           "sweep:\n  method: random\n  trials: 2\n  parameters:\n"
                           "    optimizer.lr: {min: 1e-4, max: 1e-2, scale: log}\n    training.seed: [1, 2]\n";
  const RecipeReadResult first = ReadRecipe(yaml, "r", {});
  ASSERT_THAT(Strings(first.problems), IsEmpty());
  v1::Recipe complete = first.recipe;
  ApplyRecipeDefaults(&complete);
  const RecipeReadResult second = ReadRecipe(RecipeToYaml(complete), "r", {});
  EXPECT_THAT(Strings(second.problems), IsEmpty());
  EXPECT_EQ(second.recipe.SerializeAsString().size(), complete.SerializeAsString().size());
}

v1::Recipe Asha(int steps, int min_steps, int reduction) {
  v1::Recipe recipe;
  recipe.mutable_training()->set_steps(steps);
  recipe.mutable_sweep()->set_min_steps(min_steps);
  recipe.mutable_sweep()->set_reduction(reduction);
  return recipe;
}

TEST(AshaRungsTest, EachIsSoManyTimesTheOneBeforeAndBelowTheEnd) {
  EXPECT_THAT(AshaRungs(Asha(100, 10, 3)), ElementsAre(10, 30, 90));
  EXPECT_THAT(AshaRungs(Asha(90, 10, 3)), ElementsAre(10, 30));
  EXPECT_THAT(AshaRungs(Asha(270, 0, 3)), ElementsAre(10, 30, 90));
  EXPECT_THAT(AshaRungs(Asha(5, 0, 3)), ElementsAre(1, 3));
  EXPECT_THAT(AshaRungs(Asha(1, 0, 3)), IsEmpty());
}

}  // namespace
}  // namespace ridgeline
