// SPDX-License-Identifier: Apache-2.0
// The problems found so far, and where in the YAML text each key stands. One object per ReadRecipe or
// ValidateRecipe call; not thread-safe.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "recipes/recipe_reader.h"

namespace ridgeline::recipe_internal {

// In the recipe's file. Counts from 1; 0: no place.
struct Place {
  int line = 0;
  int column = 0;
};

class Findings {
 public:
  // Beyond this many, further problems are only counted.
  static constexpr size_t kMaxProblems = 100;

  explicit Findings(const std::string& file) : file_(file) { places_[""] = {file}; }

  void SetPlace(const std::string& key, Place place) { places_[key] = {file_, place.line, place.column}; }
  // The key's value came from --set: it has no place in the file.
  void SetFromOverride(const std::string& key) { places_[key] = {"--set"}; }
  const RecipePlaces& places() const { return places_; }

  // At the key's place, or that of the nearest section around it. The key is broken from then on.
  void Add(const std::string& key, std::string message, std::string remedy);
  // Leaves the key as it is: its value can still be read.
  void AddAt(Place place, const std::string& key, std::string message, std::string remedy);
  void AddFromOverride(const std::string& key, std::string message, std::string remedy);

  // A key that has a problem already: what follows from its being unset is not worth reporting.
  void MarkBroken(const std::string& key) { broken_.insert(key); }
  // The key or a section around it is broken.
  bool IsBroken(const std::string& key) const;

  bool Full() const { return problems_.size() >= kMaxProblems; }
  bool Empty() const { return problems_.empty(); }

  // All problems in order of place; those without one come last.
  std::vector<RecipeProblem> Take();

 private:
  void Push(const RecipePlace& place, const std::string& key, std::string message, std::string remedy);

  std::string file_;
  RecipePlaces places_;
  std::set<std::string> broken_;
  std::vector<RecipeProblem> problems_;
  size_t left_out_ = 0;
};

}  // namespace ridgeline::recipe_internal
