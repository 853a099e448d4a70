// SPDX-License-Identifier: Apache-2.0
// ReadRecipe: text, tree, message, overrides, validation.
#include "recipes/recipe_reader.h"

#include "common/file.h"
#include "recipes/findings.h"
#include "recipes/set_field.h"
#include "recipes/text_guard.h"
#include "recipes/validate.h"
#include "recipes/yaml_to_message.h"
#include "recipes/yaml_tree.h"

namespace ridgeline {

using recipe_internal::Findings;

RecipeReadResult ReadRecipe(std::string_view yaml, const std::string& file,
                            const std::vector<RecipeOverride>& overrides) {
  RecipeReadResult result;
  Findings findings(file);
  std::unique_ptr<recipe_internal::YamlTree> tree;
  if (recipe_internal::CheckRecipeText(yaml, &findings)) tree = recipe_internal::ParseYaml(yaml, &findings);
  if (tree != nullptr && recipe_internal::ReadTree(*tree, &result.recipe, &findings)) {
    for (const auto& [key, value] : overrides) {
      if (auto error = recipe_internal::SetByKey(&result.recipe, key, value)) {
        findings.AddFromOverride(key, error->message, error->remedy);
      } else {
        findings.SetFromOverride(key);
      }
    }
    recipe_internal::Validate(result.recipe, &findings);
  }
  result.problems = findings.Take();
  result.places = findings.places();
  return result;
}

RecipeReadResult ReadRecipeFile(const std::string& path, const std::vector<RecipeOverride>& overrides) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxRecipeBytes);
  if (text.ok()) return ReadRecipe(*text, path, overrides);
  RecipeReadResult result;
  result.problems.push_back({path, 0, 0, "", std::string(text.status().message()), ""});
  return result;
}

}  // namespace ridgeline
