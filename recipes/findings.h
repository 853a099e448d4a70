// SPDX-License-Identifier: Apache-2.0
// The problems found so far, and where in the YAML text each key stands. One object per ReadRecipe or
// ValidateRecipe call; not thread-safe.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "recipes/recipe_reader.h"

namespace ridgeline::recipe_internal {

// Counts from 1; 0: no place.
struct Place {
  int line = 0;
  int column = 0;
};

class Findings {
 public:
  // Beyond this many, further problems are only counted.
  static constexpr size_t kMaxProblems = 100;

  explicit Findings(std::string file) : file_(std::move(file)) {}

  void SetPlace(const std::string& key, Place place) { places_[key] = {file_, place}; }
  // The key's value came from --set: it has no place in the file.
  void SetFromOverride(const std::string& key) { places_[key] = {"--set", {}}; }

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
  struct Source {
    std::string file;
    Place place;
  };
  Source Find(std::string key) const;
  void Push(const Source& source, const std::string& key, std::string message, std::string remedy);

  std::string file_;
  std::map<std::string, Source> places_;
  std::set<std::string> broken_;
  std::vector<RecipeProblem> problems_;
  size_t left_out_ = 0;
};

}  // namespace ridgeline::recipe_internal
