// SPDX-License-Identifier: Apache-2.0
// What this room's tests share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "recipes/recipe_reader.h"

namespace ridgeline {

// Each problem's ToString(); the file is called "r".
inline std::vector<std::string> ProblemsOf(std::string_view yaml, const std::vector<RecipeOverride>& overrides = {}) {
  std::vector<std::string> texts;
  for (const RecipeProblem& problem : ReadRecipe(yaml, "r", overrides).problems) texts.push_back(problem.ToString());
  return texts;
}

}  // namespace ridgeline
