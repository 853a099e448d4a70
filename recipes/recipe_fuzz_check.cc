// SPDX-License-Identifier: Apache-2.0
// The property that recipe_fuzz.cc and fuzz_corpus_test.cc share.
#include "fmt/format.h"
#include "google/protobuf/util/message_differencer.h"
#include "recipes/recipe_fuzz.h"
#include "recipes/recipe_reader.h"

namespace ridgeline {

std::string CheckAnyRecipeText(std::string_view text) {
  RecipeReadResult first = ReadRecipe(text, "first", {});
  for (const RecipeProblem& problem : first.problems) {
    if (problem.message.empty()) return "a problem without a message";
    if ((problem.line > 0) != (problem.column > 0)) return "half a place: " + problem.ToString();
  }
  if (!first.problems.empty()) return "";
  RecipeReadResult second = ReadRecipe(RecipeToYaml(first.recipe), "second", {});
  if (!second.problems.empty()) return "does not read back: " + second.problems[0].ToString();
  if (!google::protobuf::util::MessageDifferencer::Equals(first.recipe, second.recipe)) return "reads back differently";
  absl::StatusOr<std::vector<v1::Recipe>> children = ExpandSweep(first.recipe);
  if (!children.ok()) return fmt::format("does not expand: {}", std::string(children.status().message()));
  for (const v1::Recipe& child : *children) {
    std::vector<RecipeProblem> problems = ValidateRecipe(child);
    if (!problems.empty()) return "a child does not validate: " + problems[0].ToString();
  }
  return "";
}

}  // namespace ridgeline
