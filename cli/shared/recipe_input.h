// SPDX-License-Identifier: Apache-2.0
// Recipes as verbs take them: -f FILE (or - for standard input) and --set key=value.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "recipes/recipe_reader.h"

namespace ridgeline {

// Reads and validates, and makes the paths of a good recipe absolute; the problems are in the result. INVALID_ARGUMENT
// for a --set without '='.
absl::StatusOr<RecipeReadResult> ReadRecipeInput(const std::string& path, const std::vector<std::string>& set);

// Jobs that cannot leave what export.weights asks for (plan/network.h), with the place of the key to change; what
// several children of a sweep have in common is said once. REQUIRES: read.problems is empty. Errors of FindExportIssue
// about files of model.path.
absl::StatusOr<std::vector<RecipeProblem>> ExportProblems(const RecipeReadResult& read);

// Every problem on standard error, one a line.
void PrintProblems(const std::vector<RecipeProblem>& problems);

// Makes every path absolute, with the home folder for "~": workers run in another folder than the person who submits.
// Names of models in the store stay names.
void ResolvePaths(v1::Recipe* recipe);

}  // namespace ridgeline
