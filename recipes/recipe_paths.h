// SPDX-License-Identifier: Apache-2.0
// The paths in a recipe, whichever fields the schema marks as such. Pure.
#pragma once

#include <functional>
#include <string>

#include "ridgeline/v1/options.pb.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// Replaces every path by `resolve` of it and of what the schema says of its field: those that the recipe sets, and
// those that its sweep sets.
void ReplacePaths(v1::Recipe* recipe,
                  const std::function<std::string(const std::string& path, const v1::FieldDoc& doc)>& resolve);

}  // namespace ridgeline
