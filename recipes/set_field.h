// SPDX-License-Identifier: Apache-2.0
// Setting one scalar by its dotted key; SetRecipeField is the public form.
#pragma once

#include <optional>
#include <string>

#include "recipes/scalar.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline::recipe_internal {

// Nothing if it worked; the recipe is unchanged otherwise, but for empty sections on the way.
std::optional<ValueError> SetByKey(v1::Recipe* recipe, const std::string& key, const std::string& value);

}  // namespace ridgeline::recipe_internal
