// SPDX-License-Identifier: Apache-2.0
// Reading recipes for submit and validate.
#include "cli/shared/recipe_input.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <set>

#include "cli/shared/parse.h"
#include "common/home.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "plan/network.h"
#include "recipes/recipe_paths.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

// One byte more than allowed is kept, so that the reader sees that it is too much.
std::string ReadStandardInput() {
  std::string text;
  char buffer[65536];
  for (size_t got; text.size() <= kMaxRecipeBytes && (got = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;) {
    text.append(buffer, got);
  }
  return text;
}

std::string AbsolutePath(const std::string& typed, const v1::FieldDoc& doc) {
  const std::string path = ExpandTilde(typed);
  std::error_code error;
  // A path wins over a model's name, as everywhere.
  const bool is_word = path.find('/') == std::string::npos && !path.starts_with('.');
  if (path.empty() || (doc.or_model_name() && is_word && !fs::exists(path, error))) return path;
  const fs::path absolute = fs::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

}  // namespace

absl::StatusOr<RecipeReadResult> ReadRecipeInput(const std::string& path, const std::vector<std::string>& set) {
  std::vector<RecipeOverride> overrides;
  for (const std::string& text : set) {
    ASSIGN_OR_RETURN(RecipeOverride parsed, ParseOverride(text));
    overrides.push_back(std::move(parsed));
  }
  RecipeReadResult read =
      path == "-" ? ReadRecipe(ReadStandardInput(), "<stdin>", overrides) : ReadRecipeFile(path, overrides);
  if (read.problems.empty()) ResolvePaths(&read.recipe);
  return read;
}

absl::StatusOr<std::vector<RecipeProblem>> ExportProblems(const RecipeReadResult& read) {
  ASSIGN_OR_RETURN(const std::vector<v1::Recipe> jobs, ExpandSweep(read.recipe));
  std::vector<RecipeProblem> problems;
  std::set<std::string> said;
  for (const v1::Recipe& job : jobs) {
    ASSIGN_OR_RETURN(const std::optional<ExportIssue> issue, FindExportIssue(job));
    if (!issue || !said.insert(issue->key + issue->message).second) continue;
    const RecipePlace place = PlaceOf(read.places, issue->key);
    const std::string child = jobs.size() > 1 ? fmt::format("in child '{}': ", job.name()) : "";
    problems.push_back({place.file, place.line, place.column, issue->key, child + issue->message, ""});
  }
  return problems;
}

void PrintProblems(const std::vector<RecipeProblem>& problems) {
  for (const RecipeProblem& problem : problems) PrintErr("{}\n", problem.ToString());
  PrintErr("ridgeline: {} {} in the recipe; `ridgeline explain KEY` says what a key takes\n", problems.size(),
           problems.size() == 1 ? "problem" : "problems");
}

void ResolvePaths(v1::Recipe* recipe) { ReplacePaths(recipe, AbsolutePath); }

}  // namespace ridgeline
