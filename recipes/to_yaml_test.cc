// SPDX-License-Identifier: Apache-2.0
// RecipeToYaml and ReadRecipe are inverse to each other; defaults.
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "recipes/recipe_reader.h"

namespace ridgeline {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Recipe RoundTrip(const v1::Recipe& recipe) {
  RecipeReadResult result = ReadRecipe(RecipeToYaml(recipe), "r", {});
  EXPECT_THAT(result.problems, IsEmpty()) << RecipeToYaml(recipe);
  return result.recipe;
}

TEST(RecipeToYamlTest, DefaultsReadBackToTheSameMessage) {
  v1::Recipe recipe;
  recipe.mutable_dataset()->set_path("x");
  ApplyRecipeDefaults(&recipe);
  EXPECT_TRUE(MessageDifferencer::Equals(RoundTrip(recipe), recipe));
}

TEST(RecipeToYamlTest, NumbersKeepEveryDigit) {
  v1::Recipe recipe;
  recipe.mutable_dataset()->set_path("x");
  recipe.mutable_optimizer()->set_lr(0.1 + 0.2);
  recipe.mutable_optimizer()->set_eps(5e-324);
  recipe.mutable_training()->set_seed(9007199254740991);
  EXPECT_TRUE(MessageDifferencer::Equals(RoundTrip(recipe), recipe));
}

TEST(RecipeToYamlTest, TextThatLooksLikeSomethingElseStaysText) {
  for (const char* text : {"true",
                           "null",
                           "~",
                           "12",
                           "1e-3",
                           "- a",
                           "a: b",
                           "#a",
                           "a #b",
                           "'",
                           "\"",
                           "[a",
                           "{a}",
                           "*a",
                           "&a",
                           "!a",
                           "|",
                           ">",
                           "%a",
                           "@a",
                           "`a",
                           " a ",
                           "é",
                           "\\",
                           "a,b",
                           "?",
                           "---",
                           "...",
                           "=",
                           "<<",
                           "\xEF\xBB\xBF",
                           "\xF0\x9F\x98\x80"}) {
    v1::Recipe recipe;
    recipe.mutable_dataset()->set_path(text);
    recipe.set_name(text);
    (*recipe.mutable_labels())["k"] = text;
    EXPECT_TRUE(MessageDifferencer::Equals(RoundTrip(recipe), recipe)) << text;
  }
}

TEST(RecipeToYamlTest, ListsOfTextReadBack) {
  v1::Recipe recipe;
  recipe.mutable_dataset()->set_path("x");
  for (const char* text : {"*.mlp.down_proj.*", "a", "12", "true", "a, b]", "'", "[x]"})
    recipe.mutable_quant()->add_skip(text);
  EXPECT_TRUE(MessageDifferencer::Equals(RoundTrip(recipe), recipe));
  EXPECT_THAT(RecipeToYaml(recipe), HasSubstr("skip: [\"*.mlp.down_proj.*\", a, \"12\", "));
}

TEST(RecipeToYamlTest, SweepsReadBack) {
  v1::Recipe grid;
  grid.mutable_dataset()->set_path("x");
  auto& parameters = *grid.mutable_sweep()->mutable_parameters();
  for (const char* value : {"1e-3", "3e-3"}) parameters["optimizer.lr"].add_values(value);
  parameters["labels.odd"].add_values("[a, 'b']");
  EXPECT_TRUE(MessageDifferencer::Equals(RoundTrip(grid), grid));
  EXPECT_THAT(RecipeToYaml(grid), HasSubstr("optimizer.lr: [1e-3, 3e-3]"));

  v1::Recipe cases;
  cases.mutable_dataset()->set_path("x");
  cases.mutable_sweep()->set_method("cases");
  cases.mutable_sweep()->add_cases()->set_name("a");
  (*cases.mutable_sweep()->mutable_cases(0)->mutable_set())["training.steps"] = "60";
  EXPECT_TRUE(MessageDifferencer::Equals(RoundTrip(cases), cases));
}

TEST(RecipeToYamlTest, AnEmptyRecipeIsAnEmptySection) { EXPECT_EQ(RecipeToYaml(v1::Recipe()), "{}\n"); }

TEST(ApplyRecipeDefaultsTest, FillsWhatIsAbsentAndLeavesWhatIsThere) {
  v1::Recipe recipe;
  recipe.mutable_training()->set_steps(7'000);
  recipe.mutable_training()->set_max_norm(0);
  ApplyRecipeDefaults(&recipe);
  EXPECT_EQ(recipe.name(), "job");
  EXPECT_EQ(recipe.training().steps(), 7'000);
  EXPECT_EQ(recipe.training().max_norm(), 0);
  EXPECT_EQ(recipe.training().seed(), 1337);
  EXPECT_EQ(recipe.optimizer().lr(), 1e-3);
  EXPECT_EQ(recipe.quant().weight().block(), 128);
  EXPECT_TRUE(recipe.export_().frontier());
  EXPECT_TRUE(recipe.has_priority());
  EXPECT_FALSE(recipe.has_sweep());
  EXPECT_FALSE(recipe.model().has_dim());
  EXPECT_FALSE(recipe.dataset().has_path());
}

TEST(ApplyRecipeDefaultsTest, TernaryIsLinearAndAllElseAffine) {
  v1::Recipe recipe;
  recipe.mutable_quant()->mutable_weight()->set_format("ternary");
  recipe.mutable_quant()->mutable_activation()->set_format("int4");
  ApplyRecipeDefaults(&recipe);
  EXPECT_EQ(recipe.quant().weight().scheme(), "linear");
  EXPECT_EQ(recipe.quant().activation().scheme(), "affine");
}

TEST(ApplyRecipeDefaultsTest, WarmupIsNoLongerThanTheRunUnlessGiven) {
  v1::Recipe recipe;
  recipe.mutable_training()->set_steps(20);
  ApplyRecipeDefaults(&recipe);
  EXPECT_EQ(recipe.lr_scheduler().warmup_steps(), 20);
}

TEST(ApplyRecipeDefaultsTest, GivenWeightsHaveNoNamedShape) {
  v1::Recipe recipe;
  recipe.mutable_model()->set_path("gemma3-270m");
  ApplyRecipeDefaults(&recipe);
  EXPECT_FALSE(recipe.model().has_name());
  recipe.mutable_model()->set_name("gpt2");  // An error, which is not to be hidden.
  ApplyRecipeDefaults(&recipe);
  EXPECT_EQ(recipe.model().name(), "gpt2");
}

TEST(ApplyRecipeDefaultsTest, APatternThatComesGraduallyIsReachedHalfWay) {
  for (const auto& [steps, reached] : {std::pair{500, 250}, {1, 1}}) {
    v1::Recipe recipe;
    recipe.mutable_training()->set_steps(steps);
    recipe.mutable_sparsity()->set_schedule("cubic");
    ApplyRecipeDefaults(&recipe);
    EXPECT_EQ(recipe.sparsity().schedule_steps(), reached);
  }
  v1::Recipe constant;
  ApplyRecipeDefaults(&constant);
  EXPECT_FALSE(constant.sparsity().has_schedule_steps());
}

TEST(ApplyRecipeDefaultsTest, TwiceIsAsGoodAsOnce) {
  v1::Recipe once;
  once.mutable_model()->set_path("weights");
  once.mutable_sparsity()->set_schedule("linear");
  once.mutable_quant()->mutable_weight()->set_format("ternary");
  ApplyRecipeDefaults(&once);
  v1::Recipe twice = once;
  ApplyRecipeDefaults(&twice);
  EXPECT_TRUE(MessageDifferencer::Equals(once, twice));
}

}  // namespace
}  // namespace ridgeline
