// SPDX-License-Identifier: Apache-2.0
// Lists of plain text in a recipe, such as quant.skip.
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "recipes/testing.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// `lines` after a dataset, which every recipe needs; they start on line 2.
std::string With(const std::string& lines) { return "dataset: {path: x}\n" + lines; }

std::vector<std::string> ReadSkip(const std::string& yaml) {
  RecipeReadResult result = ReadRecipe(yaml, "r", {});
  EXPECT_THAT(result.problems, IsEmpty());
  return {result.recipe.quant().skip().begin(), result.recipe.quant().skip().end()};
}

TEST(TextListTest, IsReadInBothOfYamlsForms) {
  EXPECT_THAT(ReadSkip(With("quant: {skip: ['*.down_proj.*', a, 12]}\n")), ElementsAre("*.down_proj.*", "a", "12"));
  EXPECT_THAT(ReadSkip(With("quant:\n  skip:\n  - \"*.attn.*\"\n  - b?\n")), ElementsAre("*.attn.*", "b?"));
  EXPECT_THAT(ReadSkip(With("quant: {skip: []}\n")), IsEmpty());
}

TEST(TextListTest, EachWrongItemHasItsPlace) {
  EXPECT_THAT(ProblemsOf(With("quant: {skip: [a, '', {b: c}, [d], ]}\n")),
              ElementsAre("r:2:19: quant.skip[1]: is empty (write a value, or remove the item)",
                          "r:2:23: quant.skip[2]: must be a single value, not a section",
                          "r:2:31: quant.skip[3]: must be a single value, not a list"));
  EXPECT_THAT(ProblemsOf(With("quant: {skip: a}\n")),
              ElementsAre("r:2:15: quant.skip: must be a list of values, not a single value (write [a])"));
  EXPECT_THAT(ProblemsOf(With("quant: {skip: {a: b}}\n")),
              ElementsAre("r:2:15: quant.skip: must be a list of values, not a section"));
  EXPECT_THAT(ProblemsOf(With("quant: {skip: }\n")),
              ElementsAre("r:2:9: quant.skip: has no value (write a list of values, or remove the key)"));
  EXPECT_THAT(ProblemsOf(With("quant: {skip: [\"a\\tb\"]}\n")),
              ElementsAre("r:2:16: quant.skip[0]: 'a\\x09b' holds the control character \\x09 (write it on one line, "
                          "without control characters)"));
}

TEST(TextListTest, ItemsAndTheirNumberAreBounded) {
  EXPECT_THAT(ProblemsOf(With("quant: {skip: [" + std::string(200, 'k') + "]}\n")), IsEmpty());
  EXPECT_THAT(ProblemsOf(With("quant: {skip: [" + std::string(201, 'k') + "]}\n")),
              ElementsAre(EndsWith("...' (201 bytes) is too long (at most 200 bytes)")));
  std::string items;
  for (int i = 0; i < 1'000; ++i) items += fmt::format("{}, ", i);
  EXPECT_THAT(ProblemsOf(With("quant: {skip: [" + items + "]}\n")), IsEmpty());
  EXPECT_THAT(ProblemsOf(With("quant: {skip: [" + items + "x]}\n")),
              ElementsAre("r:2:9: quant.skip: has 1001 items (at most 1000)"));
}

TEST(TextListTest, AMessageIsCheckedLikeYaml) {
  v1::Recipe recipe;
  recipe.mutable_dataset()->set_path("x");
  recipe.mutable_quant()->add_skip("");
  recipe.mutable_quant()->add_skip("a\nb");
  EXPECT_THAT(ValidateRecipe(recipe), SizeIs(2));
}

TEST(TextListTest, ReachesEveryChildAndIsNotSweptItself) {
  RecipeReadResult result =
      ReadRecipe(With("quant: {skip: [a, b]}\nsweep: {parameters: {training.seed: [1, 2]}}\n"), "r", {});
  EXPECT_THAT(result.problems, IsEmpty());
  const auto children = ExpandSweep(result.recipe);
  ASSERT_TRUE(children.ok()) << children.status();
  ASSERT_THAT(*children, SizeIs(2));
  for (const v1::Recipe& child : *children) EXPECT_THAT(child.quant().skip(), ElementsAre("a", "b"));
  EXPECT_THAT(
      ProblemsOf(With("sweep: {parameters: {quant.skip: [a, b]}}\n")),
      ElementsAre(
          EndsWith("quant.skip[0]: is a list of text and takes no single value (write it in the recipe's file)"),
          EndsWith("quant.skip[1]: is a list of text and takes no single value (write it in the recipe's file)")));
}

}  // namespace
}  // namespace ridgeline
