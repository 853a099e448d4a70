// SPDX-License-Identifier: Apache-2.0
// A YAML tree into a recipe, key by key through the descriptors.
#pragma once

#include "recipes/findings.h"
#include "recipes/yaml_tree.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline::recipe_internal {

// Fills `recipe` with what could be read, tells `findings` where each key stands, and reports every unknown or
// duplicate key and every value of a wrong type.
// False if the text is no section at all.
bool ReadTree(const YamlTree& tree, v1::Recipe* recipe, Findings* findings);

}  // namespace ridgeline::recipe_internal
