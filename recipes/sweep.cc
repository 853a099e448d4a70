// SPDX-License-Identifier: Apache-2.0
// A sweep's recipe into the recipes of its jobs.
#include "fmt/format.h"
#include "recipes/recipe_reader.h"
#include "recipes/sweep_plan.h"

namespace ridgeline {

absl::Status ForEachSweepChild(const v1::Recipe& recipe, const std::function<absl::Status(v1::Recipe)>& visit) {
  if (!recipe.has_sweep()) {
    v1::Recipe complete = recipe;
    ApplyRecipeDefaults(&complete);
    return visit(std::move(complete));
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
  for (size_t i = 0; i < plan.size(); ++i) {
    v1::Recipe child = plan.Child(i).recipe;
    ApplyRecipeDefaults(&child);
    if (absl::Status status = visit(std::move(child)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Recipe>> ExpandSweep(const v1::Recipe& recipe) {
  std::vector<v1::Recipe> children;
  absl::Status status = ForEachSweepChild(recipe, [&](v1::Recipe child) {
    children.push_back(std::move(child));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return children;
}

}  // namespace ridgeline
