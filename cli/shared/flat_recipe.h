// SPDX-License-Identifier: Apache-2.0
// A recipe as keys and values, for those who compare recipes.
#pragma once

#include "absl/status/statusor.h"
#include "frontier/recipe_differences.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// "quant.weight.format" -> "int4", of every scalar of the recipe.
absl::StatusOr<FlatRecipe> FlattenRecipe(const v1::Recipe& recipe);

}  // namespace ridgeline
