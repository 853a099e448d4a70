// SPDX-License-Identifier: Apache-2.0
// Fuzz target for recipes: what is read can be written and read again, and its sweep expands into recipes that
// validate. With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fmt/format.h"
#include "google/protobuf/util/message_differencer.h"
#include "recipes/recipe_reader.h"

namespace ridgeline {
namespace {

// What went wrong; else empty.
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

}  // namespace
}  // namespace ridgeline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string failure = ridgeline::CheckAnyRecipeText({reinterpret_cast<const char*>(data), size});
  if (!failure.empty()) {
    std::fprintf(stderr, "%s\n", failure.c_str());
    std::abort();
  }
  return 0;
}
