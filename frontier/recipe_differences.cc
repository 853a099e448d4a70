// SPDX-License-Identifier: Apache-2.0
#include "frontier/recipe_differences.h"

#include <algorithm>

namespace ridgeline {

std::map<std::string, std::vector<std::string>> RecipeDifferences(const std::vector<FlatRecipe>& recipes) {
  std::map<std::string, std::vector<std::string>> values;
  for (size_t i = 0; i < recipes.size(); ++i) {
    for (const auto& [key, value] : recipes[i]) {
      values[key].resize(recipes.size());
      values[key][i] = value;
    }
  }
  std::erase_if(values, [](const auto& entry) {
    const auto& row = entry.second;
    return entry.first == "name" ||
           std::all_of(row.begin(), row.end(), [&](const std::string& value) { return value == row[0]; });
  });
  return values;
}

}  // namespace ridgeline
