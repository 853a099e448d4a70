// SPDX-License-Identifier: Apache-2.0
// What a sweep expands to, and what is refused before it does.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "recipes/recipe_reader.h"
#include "recipes/testing.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<v1::Recipe> Expand(const std::string& yaml) {
  RecipeReadResult result = ReadRecipe(yaml, "r", {});
  EXPECT_THAT(result.problems, IsEmpty());
  absl::StatusOr<std::vector<v1::Recipe>> children = ExpandSweep(result.recipe);
  EXPECT_TRUE(children.ok()) << children.status();
  return children.ok() ? *children : std::vector<v1::Recipe>();
}

std::vector<std::string> Names(const std::vector<v1::Recipe>& recipes) {
  std::vector<std::string> names;
  for (const v1::Recipe& recipe : recipes) names.push_back(recipe.name());
  return names;
}

TEST(ExpandSweepTest, GridIsEveryCombinationInAlphabeticalOrderOfKeys) {
  std::vector<v1::Recipe> children = Expand(
      "name: g\ndataset: {path: x}\nsweep:\n  parameters:\n    training.steps: [20, 10]\n"
      "    optimizer.lr: [1e-3, 3e-3]\n");
  EXPECT_THAT(Names(children),
              ElementsAre("g/optimizer.lr=1e-3,training.steps=20", "g/optimizer.lr=1e-3,training.steps=10",
                          "g/optimizer.lr=3e-3,training.steps=20", "g/optimizer.lr=3e-3,training.steps=10"));
  EXPECT_EQ(children[3].optimizer().lr(), 3e-3);
  EXPECT_EQ(children[3].training().steps(), 10);
}

TEST(ExpandSweepTest, CasesKeepTheirOrderAndNames) {
  std::vector<v1::Recipe> children = Expand(
      "dataset: {path: x}\nsweep:\n  method: cases\n  cases:\n"
      "  - {name: b, set: {quant.estimator: ste, quant.weight.format: int4, labels.kind: w4}}\n  - name: a\n");
  EXPECT_THAT(Names(children), ElementsAre("b", "a"));
  EXPECT_EQ(children[0].quant().weight().format(), "int4");
  EXPECT_EQ(children[0].labels().at("kind"), "w4");
  EXPECT_EQ(children[1].quant().estimator(), "none");
}

TEST(ExpandSweepTest, ChildrenAreWholeRecipesThatValidate) {
  for (const v1::Recipe& child : Expand("dataset: {path: x}\nsweep: {parameters: {training.seed: [1, 2]}}\n")) {
    EXPECT_FALSE(child.has_sweep());
    EXPECT_EQ(child.training().seq_len(), 128);
    EXPECT_THAT(ValidateRecipe(child), IsEmpty());
  }
}

TEST(ExpandSweepTest, ARecipeWithoutASweepIsItsOnlyChild) {
  std::vector<v1::Recipe> children = Expand("name: one\ndataset: {path: x}\n");
  EXPECT_THAT(Names(children), ElementsAre("one"));
  EXPECT_EQ(children[0].training().steps(), 500);
}

TEST(ExpandSweepTest, AWrongSweepIsAnErrorAlsoWithoutValidation) {
  v1::Recipe recipe;
  v1::SweepCase* one = recipe.mutable_sweep()->add_cases();
  recipe.mutable_sweep()->set_method("cases");
  one->set_name("a");
  (*one->mutable_set())["training.stpes"] = "3";
  absl::Status status = ExpandSweep(recipe).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()),
            "sweep.cases[0].set.training.stpes: unknown key 'training.stpes' (did you mean 'training.steps'?)");
}

TEST(ExpandSweepTest, TooManyChildrenAreRefused) {
  v1::Recipe recipe;
  for (const char* key : {"training.seed", "training.steps"}) {
    v1::SweepValues& values = (*recipe.mutable_sweep()->mutable_parameters())[key];
    for (int i = 1; i <= 101; ++i) values.add_values(std::to_string(i));
  }
  EXPECT_EQ(ExpandSweep(recipe).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(SweepProblemsTest, EachMistakeInTheSectionHasItsPlace) {
  EXPECT_THAT(ProblemsOf("dataset: {path: x}\n"
                         "sweep:\n"
                         "  method: cases\n"
                         "  cases:\n"
                         "  - name: a\n"
                         "    set: {optimzer.lr: 3, name: b, sweep.method: grid}\n"
                         "  - name: a\n"
                         "  - set: {training.steps: 5.5}\n"),
              ElementsAre("r:6:24: sweep.cases[0].set.optimzer.lr: unknown key 'optimzer.lr' "
                          "(did you mean 'optimizer.lr'?)",
                          "r:6:33: sweep.cases[0].set.name: the sweep names its children itself (remove the key)",
                          "r:6:50: sweep.cases[0].set.sweep.method: a sweep cannot be swept (remove the key)",
                          "r:7:11: sweep.cases[1].name: 'a' is already the name of case 1 "
                          "(give each case a name of its own)",
                          "r:8:5: sweep.cases[2].name: is required (add `name:` under `sweep.cases[2]`; "
                          "Name of the child job.)",
                          "r:8:27: sweep.cases[2].set.training.steps: '5.5' is not an integer (write a whole number in "
                          "decimal digits, like 500)"));
}

TEST(SweepProblemsTest, GridValuesAreCheckedOneByOne) {
  EXPECT_THAT(ProblemsOf("dataset: {path: x}\nsweep:\n  parameters:\n"
                         "    optimizer.lr: [1e-3, [2], x, 1e-3]\n"
                         "    training.seed: 3\n"
                         "    training.steps: []\n"),
              ElementsAre("r:4:26: sweep.parameters.optimizer.lr[1]: must be a single value, not a list",
                          "r:4:31: sweep.parameters.optimizer.lr[2]: 'x' is not a number (write a finite decimal "
                          "number, like 1e-3)",
                          "r:4:34: sweep.parameters.optimizer.lr[3]: '1e-3' is in the list twice (remove one)",
                          "r:5:20: sweep.parameters.training.seed: must be a list of values, not a single value "
                          "(write [3])",
                          "r:6:21: sweep.parameters.training.steps: has no values (write at least one, "
                          "or remove the key)"));
}

TEST(SweepProblemsTest, AProblemOfSomeChildrenNamesThemAndWhatSetIt) {
  EXPECT_THAT(
      ProblemsOf("dataset: {path: x}\nlr_scheduler: {warmup_steps: 30}\nsweep:\n  method: cases\n  cases:\n"
                 "  - {name: long}\n"
                 "  - {name: short, set: {training.steps: 5}}\n"
                 "  - {name: half, set: {quant.weight.block: 1}}\n"),
      ElementsAre("r:7:41: sweep.cases[1].set.training.steps: in child 'short': lr_scheduler.warmup_steps: 30 "
                  "is over training.steps, which is 5 (at most 5)",
                  "r:8:44: sweep.cases[2].set.quant.weight.block: in child 'half': quant.weight.block: 1 is out "
                  "of range (allowed: 2 to 65536 elements)"));
}

TEST(SweepProblemsTest, AProblemOfAllChildrenIsReportedOnceInItsOwnPlace) {
  EXPECT_THAT(ProblemsOf("dataset: {path: x}\ntraining: {steps: 0}\nsweep: {parameters: {training.seed: [1, 2, 3]}}\n"),
              ElementsAre("r:2:19: training.steps: 0 is out of range (allowed: 1 to 100000000 steps)"));
}

TEST(SweepProblemsTest, TheBaseNeedNotBeWhole) {
  EXPECT_THAT(ProblemsOf("quant: {estimator: ridge}\nsweep: {parameters: {quant.weight.format: [int1, int2], "
                         "dataset.path: [x]}}\n"),
              IsEmpty());
}

TEST(SweepProblemsTest, TheMethodDecidesWhatMustBeThere) {
  EXPECT_THAT(ProblemsOf("dataset: {path: x}\nsweep: {}\n"), SizeIs(1));
  EXPECT_THAT(ProblemsOf("dataset: {path: x}\nsweep: {method: cases}\n"), SizeIs(1));
  EXPECT_THAT(ProblemsOf("dataset: {path: x}\nsweep: {method: cases, cases: [{name: a}], "
                         "parameters: {training.seed: [1]}}\n"),
              ElementsAre("r:2:44: sweep.parameters: method cases takes no parameters (set sweep.method to grid)"));
  EXPECT_THAT(
      ProblemsOf("dataset: {path: x}\nsweep: {method: gird, cases: [{name: a}]}\n"),
      ElementsAre(
          "r:2:17: sweep.method: 'gird' is not allowed (did you mean 'grid'? allowed: grid, cases, random, asha)"));
}

}  // namespace
}  // namespace ridgeline
