// SPDX-License-Identifier: Apache-2.0
// The recipes that we ship.
#include <filesystem>
#include <string>
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
  EXPECT_GE(count, 4);
}

TEST(LibraryTest, TheDemoComparesNineFormsThatDifferInQuantizationOnly) {
  RecipeReadResult result = ReadRecipeFile(std::string(kLibrary) + "/demo-sweep.yaml", {});
  absl::StatusOr<std::vector<v1::Recipe>> children = ExpandSweep(result.recipe);
  ASSERT_TRUE(children.ok()) << children.status();
  std::vector<std::string> forms;
  for (v1::Recipe& child : *children) {
    const v1::Quant& quant = child.quant();
    EXPECT_EQ(quant.weight().SerializeAsString(), quant.activation().SerializeAsString());
    EXPECT_EQ(quant.weight().block(), 128);
    EXPECT_EQ(quant.lambda(), 0.01);
    const v1::TensorQuant& weight = quant.weight();
    forms.push_back(child.name() + ": " + quant.estimator() + " " + weight.format() + " " + weight.scheme());
    child.clear_name();
    child.clear_quant();
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(child, children->front()));
  }
  EXPECT_THAT(forms, ElementsAre("none: none none affine", "ridge-affine-a1w1: ridge int1 affine",
                                 "ridge-linear-a1w1: ridge int1 linear", "ste-affine-a1w1: ste int1 affine",
                                 "ste-linear-a1w1: ste int1 linear", "ridge-affine-a2w2: ridge int2 affine",
                                 "ridge-affine-a4w4: ridge int4 affine", "ste-affine-a4w4: ste int4 affine",
                                 "ridge-ternary: ridge ternary linear"));
}

TEST(LibraryTest, TheOneBitStudyComparesFiveEstimatorsOnEqualTerms) {
  RecipeReadResult result = ReadRecipeFile(std::string(kLibrary) + "/study-a1w1.yaml", {});
  absl::StatusOr<std::vector<v1::Recipe>> children = ExpandSweep(result.recipe);
  ASSERT_TRUE(children.ok()) << children.status();
  std::vector<std::string> forms;
  for (v1::Recipe& child : *children) {
    ApplyRecipeDefaults(&child);
    const v1::Quant& quant = child.quant();
    EXPECT_EQ(quant.weight().SerializeAsString(), quant.activation().SerializeAsString());
    EXPECT_EQ(quant.weight().format(), "int1");
    forms.push_back(quant.estimator() + " " + quant.weight().scheme() + " " + quant.grid() +
                    (quant.hadamard() ? " hadamard" : ""));
    child.clear_name();
    child.clear_quant();
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(child, children->front()));
  }
  EXPECT_THAT(forms, ElementsAre("ste linear minmax", "ridge affine minmax", "ridge affine minmax hadamard",
                                 "quest linear gaussian hadamard", "ridge_trust affine gaussian hadamard"));
}

}  // namespace
}  // namespace ridgeline
