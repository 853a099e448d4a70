// SPDX-License-Identifier: Apache-2.0
// What people call the network of a recipe, in tables, points and metrics alike, so that they can be joined.
#pragma once

#include <string>

#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// "gpt-nano", or with its sizes where the recipe overrides them: "gpt-nano(n_layers=2)"; of model.path, its last part.
// REQUIRES: the recipe's defaults are filled in.
std::string ModelLabel(const v1::Recipe& recipe);

}  // namespace ridgeline
