// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/flat_recipe.h"

#include <nlohmann/json.hpp>

#include "cli/shared/output.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

void Flatten(const nlohmann::ordered_json& json, const std::string& prefix, FlatRecipe* flat) {
  if (!json.is_object()) {
    (*flat)[prefix] = json.is_string() ? json.get<std::string>() : json.dump();
    return;
  }
  for (const auto& [key, value] : json.items()) Flatten(value, prefix.empty() ? key : prefix + "." + key, flat);
}

}  // namespace

absl::StatusOr<FlatRecipe> FlattenRecipe(const v1::Recipe& recipe) {
  ASSIGN_OR_RETURN(const nlohmann::ordered_json json, MessageToJson(recipe));
  FlatRecipe flat;
  Flatten(json, "", &flat);
  return flat;
}

}  // namespace ridgeline
