// SPDX-License-Identifier: Apache-2.0
// ExpandSweep: a recipe into the recipes of its jobs.
#include "fmt/format.h"
#include "recipes/recipe_reader.h"
#include "recipes/sweep_plan.h"

namespace ridgeline {

absl::StatusOr<std::vector<v1::Recipe>> ExpandSweep(const v1::Recipe& recipe) {
  std::vector<v1::Recipe> children;
  if (!recipe.has_sweep()) {
    children.push_back(recipe);
    ApplyRecipeDefaults(&children.back());
    return children;
  }
  recipe_internal::SweepPlan plan(recipe);
  if (plan.size() > kMaxSweepChildren) {
    return absl::ResourceExhaustedError(
        fmt::format("sweep: over {} children (split it into several sweeps)", kMaxSweepChildren));
  }
  std::vector<recipe_internal::SweepError> errors = plan.Errors();
  if (!errors.empty()) {
    RecipeProblem problem{"", 0, 0, errors[0].key, errors[0].error.message, errors[0].error.remedy};
    return absl::InvalidArgumentError(problem.ToString());
  }
  children.reserve(plan.size());
  for (size_t i = 0; i < plan.size(); ++i) {
    children.push_back(plan.Child(i).recipe);
    ApplyRecipeDefaults(&children.back());
  }
  return children;
}

}  // namespace ridgeline
