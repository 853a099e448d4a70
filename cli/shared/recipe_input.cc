// SPDX-License-Identifier: Apache-2.0
// Reading recipes for submit and validate.
#include "cli/shared/recipe_input.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "cli/shared/parse.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr char kDatasetKey[] = "dataset.path";

// One byte more than allowed is kept, so that the reader sees that it is too much.
std::string ReadStandardInput() {
  std::string text;
  char buffer[65536];
  for (size_t got; text.size() <= kMaxRecipeBytes && (got = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;) {
    text.append(buffer, got);
  }
  return text;
}

std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  return error || path.empty() ? path : absolute.lexically_normal().string();
}

}  // namespace

absl::StatusOr<RecipeReadResult> ReadRecipeInput(const std::string& path, const std::vector<std::string>& set) {
  std::vector<RecipeOverride> overrides;
  for (const std::string& text : set) {
    ASSIGN_OR_RETURN(RecipeOverride parsed, ParseOverride(text));
    overrides.push_back(std::move(parsed));
  }
  if (path == "-") return ReadRecipe(ReadStandardInput(), "<stdin>", overrides);
  return ReadRecipeFile(path, overrides);
}

void PrintProblems(const std::vector<RecipeProblem>& problems) {
  for (const RecipeProblem& problem : problems) PrintErr("{}\n", problem.ToString());
  PrintErr("ridgeline: {} {} in the recipe; `ridgeline explain KEY` says what a key takes\n", problems.size(),
           problems.size() == 1 ? "problem" : "problems");
}

void ResolveDatasetPaths(v1::Recipe* recipe) {
  if (recipe->dataset().has_path()) {
    recipe->mutable_dataset()->set_path(AbsolutePath(recipe->dataset().path()));
  }
  if (!recipe->has_sweep()) return;
  auto* parameters = recipe->mutable_sweep()->mutable_parameters();
  if (const auto found = parameters->find(kDatasetKey); found != parameters->end()) {
    for (std::string& path : *found->second.mutable_values()) path = AbsolutePath(path);
  }
  for (v1::SweepCase& one : *recipe->mutable_sweep()->mutable_cases()) {
    const auto found = one.mutable_set()->find(kDatasetKey);
    if (found != one.mutable_set()->end()) found->second = AbsolutePath(found->second);
  }
}

}  // namespace ridgeline
