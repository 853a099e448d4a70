// SPDX-License-Identifier: Apache-2.0
// The recipes that we ship.
#include <filesystem>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "common/file.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "recipes/recipe_reader.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

const char kLibrary[] = RIDGELINE_SOURCE_DIR "/recipes/library";

TEST(LibraryTest, EveryRecipeValidatesExpandsAndOpensWithAComment) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kLibrary)) {
    RecipeReadResult result = ReadRecipeFile(entry.path(), {});
    EXPECT_THAT(result.problems, IsEmpty()) << entry.path() << ": " << result.problems[0].ToString();
    EXPECT_TRUE(ExpandSweep(result.recipe).ok()) << entry.path();
    std::string text = *ReadFile(entry.path());
    EXPECT_TRUE(text.starts_with("# SPDX-License-Identifier: Apache-2.0\n# ")) << entry.path();
    std::string command = "#   ridgeline submit -f recipes/library/" + entry.path().filename().string();
    EXPECT_NE(text.find(command), std::string::npos) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 10);
}

TEST(LibraryTest, TheDemoComparesElevenFormsThatDifferInQuantizationAndSparsityOnly) {
  RecipeReadResult result = ReadRecipeFile(std::string(kLibrary) + "/demo-sweep.yaml", {});
  absl::StatusOr<std::vector<v1::Recipe>> children = ExpandSweep(result.recipe);
  ASSERT_TRUE(children.ok()) << children.status();
  std::vector<std::string> forms;
  for (v1::Recipe& child : *children) {
    const v1::Quant& quant = child.quant();
    EXPECT_EQ(quant.weight().block(), 128);
    EXPECT_EQ(child.export_().weights(), "packed");
    const std::string sparsity = child.sparsity().pattern() == "dense" ? "" : " " + child.sparsity().pattern();
    forms.push_back(child.name() + ": " + quant.estimator() + " " + quant.weight().format() + " " +
                    quant.activation().format() + sparsity);
    child.clear_name();
    child.clear_quant();
    child.clear_sparsity();
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(child, children->front()));
  }
  EXPECT_THAT(
      forms, ElementsAre("none: none none none", "ste-a1w1: ste int1 int1", "ridge-a1w1: ridge int1 int1",
                         "default-a1w1: ridge_trust int1 int1", "default-a4w1: ridge_trust int1 int4",
                         "default-a4w1-2to4: ridge_trust int1 int4 2:4", "default-a4w1-1to4: ridge_trust int1 int4 1:4",
                         "default-a4-ternary: ridge_trust ternary int4", "default-a2w2: ridge_trust int2 int2",
                         "default-a4w4: ridge_trust int4 int4", "ste-a4w4: ste int4 int4"));
}

TEST(LibraryTest, StudiesDifferInTheirQuantizersOnly) {
  for (const auto& [name, size] : {std::pair{"estimators", 4u}, {"ablation", 11u}, {"lambda", 10u}}) {
    RecipeReadResult result = ReadRecipeFile(std::string(kLibrary) + "/study-" + name + ".yaml", {});
    absl::StatusOr<std::vector<v1::Recipe>> children = ExpandSweep(result.recipe);
    ASSERT_TRUE(children.ok()) << children.status();
    EXPECT_EQ(children->size(), size) << name;
    for (v1::Recipe& child : *children) {
      EXPECT_EQ(child.quant().weight().format(), "int1");
      EXPECT_EQ(child.quant().weight().SerializeAsString(), child.quant().activation().SerializeAsString());
      child.clear_name();
      child.clear_quant();
      EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(child, children->front())) << name;
    }
  }
}

TEST(LibraryTest, EachMethodOfTheStudyHasItsOwnPenalty) {
  absl::StatusOr<std::vector<v1::Recipe>> children =
      ExpandSweep(ReadRecipeFile(std::string(kLibrary) + "/study-estimators.yaml", {}).recipe);
  ASSERT_TRUE(children.ok()) << children.status();
  std::map<std::string, double> penalties;
  for (const v1::Recipe& child : *children) penalties[child.quant().estimator()] = child.quant().lambda();
  EXPECT_THAT(penalties,
              ElementsAre(Pair("quest", 1e-4), Pair("ridge", 0.01), Pair("ridge_trust", 1e-4), Pair("ste", 1e-4)));
}

TEST(LibraryTest, AblationsStepFromStraightThroughToRidgeTrust) {
  RecipeReadResult result = ReadRecipeFile(std::string(kLibrary) + "/study-ablation.yaml", {});
  absl::StatusOr<std::vector<v1::Recipe>> children = ExpandSweep(result.recipe);
  ASSERT_TRUE(children.ok()) << children.status();
  std::vector<std::string> forms;
  for (v1::Recipe& child : *children) {
    ApplyRecipeDefaults(&child);
    const v1::Quant& quant = child.quant();
    forms.push_back(quant.estimator() + " " + quant.weight().scheme() + " " + quant.grid() +
                    (quant.hadamard() ? " hadamard" : "") +
                    (quant.fit_gradient() == "own" ? "" : " " + quant.fit_gradient()));
  }
  EXPECT_THAT(forms, ElementsAre("ste linear minmax", "ridge affine minmax", "ridge affine minmax detached",
                                 "ridge affine minmax hadamard", "ridge affine gaussian hadamard",
                                 "quest linear gaussian", "quest linear gaussian hadamard",
                                 "ridge_trust affine gaussian", "ridge_trust affine gaussian hadamard graph",
                                 "ridge_trust linear gaussian hadamard", "ridge_trust affine gaussian hadamard"));
}

TEST(LibraryTest, TheGemmaStudiesDifferFromTheirReferenceInQuantizationOnly) {
  const auto expand = [](const std::string& name) {
    RecipeReadResult result = ReadRecipeFile(std::string(kLibrary) + "/gemma3-270m-" + name + ".yaml", {});
    absl::StatusOr<std::vector<v1::Recipe>> children = ExpandSweep(result.recipe);
    EXPECT_TRUE(children.ok()) << children.status();
    return *children;
  };
  const auto without_quantization = [](v1::Recipe recipe) {
    recipe.clear_name();
    recipe.clear_quant();
    recipe.clear_sparsity();
    return recipe;
  };
  const std::vector<v1::Recipe> reference = expand("reference");
  ASSERT_EQ(reference.size(), 1u);
  EXPECT_EQ(reference[0].quant().estimator(), "none");
  for (const auto& [name, weight, activation, pattern] : {std::tuple{"a4w4", "int4", "int4", "dense"},
                                                          {"a4w1", "int1", "int4", "dense"},
                                                          {"a1w1", "int1", "int1", "dense"},
                                                          {"a8w4", "int4", "int8", "dense"},
                                                          {"a4w1-2to4", "int1", "int4", "2:4"}}) {
    std::vector<std::string> estimators;
    for (const v1::Recipe& child : expand(name)) {
      estimators.push_back(child.quant().estimator());
      EXPECT_EQ(child.quant().weight().format(), weight);
      EXPECT_EQ(child.quant().activation().format(), activation);
      EXPECT_EQ(child.sparsity().pattern(), pattern);
      EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(without_quantization(child),
                                                                     without_quantization(reference[0])))
          << child.name();
    }
    EXPECT_THAT(estimators, ElementsAre("ridge", "ste", "quest", "ridge_trust")) << name;
  }
}

}  // namespace
}  // namespace ridgeline
