// SPDX-License-Identifier: Apache-2.0
// YAML recipes: read through the descriptors of proto/recipe.proto, so that the schema is the only list of keys.
// All functions are pure and thread-safe.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// One thing wrong with a recipe, with its place. line and column count from 1; 0 where there is no place
// (a value from --set, or a recipe that came over the wire).
struct RecipeProblem {
  std::string file;
  int line = 0;
  int column = 0;
  std::string key;      // Dotted: "quant.weight.format".
  std::string message;  // What is wrong, with the offending value.
  std::string remedy;   // What to write instead: "did you mean 'lambda'?", "allowed: none, ridge, ste"; may be empty.

  // "file:line:column: key: message (remedy)"
  std::string ToString() const;
};

// Where a key stands: line and column as above.
struct RecipePlace {
  std::string file;
  int line = 0;
  int column = 0;
};

// By dotted key; the whole recipe is "".
using RecipePlaces = std::map<std::string, RecipePlace>;

struct RecipeReadResult {
  v1::Recipe recipe;                    // As written plus overrides; defaults are not filled in.
  std::vector<RecipeProblem> problems;  // All of them, in order of place; empty: the recipe is good.
  RecipePlaces places;                  // Of each key that is written, for problems that others find.
};

// The key's place, or that of the nearest section around it.
RecipePlace PlaceOf(const RecipePlaces& places, std::string key);

// A --set key=value.
using RecipeOverride = std::pair<std::string, std::string>;

inline constexpr size_t kMaxRecipeBytes = size_t{1} << 20;

// Parses, applies the overrides, validates (required keys, ranges, allowed values, rules across keys, every case
// of a sweep). Never throws. Anchors and aliases are accepted within limits that stop them from exploding.
RecipeReadResult ReadRecipe(std::string_view yaml, const std::string& file,
                            const std::vector<RecipeOverride>& overrides);

// Reads the file first; a missing or too large file is a problem like any other.
RecipeReadResult ReadRecipeFile(const std::string& path, const std::vector<RecipeOverride>& overrides);

// Sets one scalar by its dotted key, as `--set` and sweeps do. INVALID_ARGUMENT with key, reason and remedy.
absl::Status SetRecipeField(v1::Recipe* recipe, const std::string& key, const std::string& value);

// Checks a recipe that is already a message (the coordinator does not trust its clients).
std::vector<RecipeProblem> ValidateRecipe(const v1::Recipe& recipe);

// Fills in every default, so that the recipe says all that decided the result.
void ApplyRecipeDefaults(v1::Recipe* recipe);

// The child recipes of a sweep in their order: named, without `sweep`, defaults filled in. A recipe without a
// sweep gives itself. RESOURCE_EXHAUSTED over kMaxSweepChildren.
inline constexpr size_t kMaxSweepChildren = 10'000;
absl::StatusOr<std::vector<v1::Recipe>> ExpandSweep(const v1::Recipe& recipe);
// The same one after the other, for whoever need not hold them all; an error of `visit` ends it.
absl::Status ForEachSweepChild(const v1::Recipe& recipe, const std::function<absl::Status(v1::Recipe)>& visit);

// YAML that ReadRecipe reads back to the same message; keys in the schema's order.
std::string RecipeToYaml(const v1::Recipe& recipe);

}  // namespace ridgeline
