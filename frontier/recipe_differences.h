// SPDX-License-Identifier: Apache-2.0
// What recipes differ in.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace ridgeline {

// Key ("quant.weight.format") to value, of every scalar that a recipe sets or leaves at its default.
using FlatRecipe = std::map<std::string, std::string>;

// The keys in which the recipes differ, with a value for each recipe, empty where one lacks the key. The name is none
// of them: it differs always.
std::map<std::string, std::vector<std::string>> RecipeDifferences(const std::vector<FlatRecipe>& recipes);

}  // namespace ridgeline
