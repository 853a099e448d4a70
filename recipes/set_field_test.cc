// SPDX-License-Identifier: Apache-2.0
// --set key=value.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "recipes/recipe_reader.h"

namespace ridgeline {
namespace {

std::string ErrorOf(const std::string& key, const std::string& value) {
  v1::Recipe recipe;
  absl::Status status = SetRecipeField(&recipe, key, value);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(recipe.ByteSizeLong(), 0u) << "a failed set changed the recipe";
  return std::string(status.message());
}

TEST(SetRecipeFieldTest, SetsEveryTypeOfScalar) {
  v1::Recipe recipe;
  EXPECT_TRUE(SetRecipeField(&recipe, "training.steps", "7").ok());
  EXPECT_TRUE(SetRecipeField(&recipe, "training.seed", "9007199254740991").ok());
  EXPECT_TRUE(SetRecipeField(&recipe, "optimizer.lr", "1e-3").ok());
  EXPECT_TRUE(SetRecipeField(&recipe, "export.frontier", "false").ok());
  EXPECT_TRUE(SetRecipeField(&recipe, "quant.weight.format", "int1").ok());
  EXPECT_TRUE(SetRecipeField(&recipe, "name", "a=b").ok());
  EXPECT_EQ(recipe.training().steps(), 7);
  EXPECT_EQ(recipe.training().seed(), 9007199254740991);
  EXPECT_EQ(recipe.optimizer().lr(), 1e-3);
  EXPECT_FALSE(recipe.export_().frontier());
  EXPECT_EQ(recipe.quant().weight().format(), "int1");
  EXPECT_EQ(recipe.name(), "a=b");
}

TEST(SetRecipeFieldTest, SetsAndReplacesLabelsAlsoWithDots) {
  v1::Recipe recipe;
  EXPECT_TRUE(SetRecipeField(&recipe, "labels.team", "a").ok());
  EXPECT_TRUE(SetRecipeField(&recipe, "labels.team", "b").ok());
  EXPECT_TRUE(SetRecipeField(&recipe, "labels.example.org/x", "c").ok());
  EXPECT_EQ(recipe.labels_size(), 2);
  EXPECT_EQ(recipe.labels().at("team"), "b");
  EXPECT_EQ(recipe.labels().at("example.org/x"), "c");
}

TEST(SetRecipeFieldTest, ErrorsNameKeyReasonAndRemedy) {
  EXPECT_EQ(ErrorOf("training.stpes", "7"),
            "training.stpes: unknown key 'training.stpes' (did you mean 'training.steps'?)");
  EXPECT_EQ(ErrorOf("lr", "7"), "lr: unknown key 'lr' (did you mean 'optimizer.lr'?)");
  EXPECT_EQ(ErrorOf("training.steps", "7.0"),
            "training.steps: '7.0' is not an integer (write a whole number in decimal digits, like 500)");
  EXPECT_EQ(ErrorOf("resources", "7"),
            "resources: is a section and takes no single value (its keys: ranks, device, memory, time_limit, labels)");
  EXPECT_EQ(ErrorOf("labels", "7"), "labels: is a map and takes no single value (name a key in it, like labels.team)");
  EXPECT_EQ(ErrorOf("sweep.cases", "7"),
            "sweep.cases: is a list and takes no single value (write it in the recipe's file)");
  EXPECT_EQ(ErrorOf("quant.skip", "*.down_proj.*"),
            "quant.skip: is a list of text and takes no single value (write it in the recipe's file)");
  EXPECT_EQ(ErrorOf("sweep.parameters.optimizer.lr", "7"),
            "sweep.parameters.optimizer.lr: is a map and takes no single value (write it in the recipe's file)");
  for (const char* hidden : {"a\u202eb", "a\u2066b", "a\u200fb", "a\u061cb", "a\u009bb"}) {
    EXPECT_EQ(ErrorOf("name", hidden),
              "name: 'a?b' holds characters that move the cursor or turn the writing direction (leave out control "
              "characters and marks of writing direction)");
  }
  EXPECT_EQ(ErrorOf("name", "a\nb"),
            "name: 'a\\x0ab' holds the control character \\x0a (write it on one line, without control characters)");
}

TEST(SetRecipeFieldTest, OddKeysAreUnknownKeys) {
  for (const char* key : {"", ".", "..", "training.", ".training", "training..steps", "training.steps.x", "labels.",
                          "sweep.cases[0].name", "\x01"}) {
    EXPECT_THAT(ErrorOf(key, "1"), ::testing::HasSubstr("unknown key")) << key;
  }
}

}  // namespace
}  // namespace ridgeline
