// SPDX-License-Identifier: Apache-2.0
// Which child recipes a sweep stands for. ExpandSweep and validation share it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "recipes/scalar.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline::recipe_internal {

// Where a sweep is wrong, by key.
struct SweepError {
  std::string key;
  ValueError error;
};

struct SweepChild {
  v1::Recipe recipe;                           // Named, without `sweep`; defaults are not filled in.
  std::map<std::string, std::string> sources;  // Recipe key -> "sweep.cases[2].set.KEY" that set it.
  std::string source;                          // "sweep.cases[2].name"; "sweep.parameters" for a grid.
};

class SweepPlan {
 public:
  // REQUIRES: recipe.has_sweep().
  explicit SweepPlan(const v1::Recipe& recipe);

  // Everything that keeps the sweep from being expanded: unknown keys, wrong values, equal names, too many
  // children. Child() may be called only if there is nothing.
  std::vector<SweepError> Errors() const;

  // Saturates well above kMaxSweepChildren.
  size_t size() const;
  SweepChild Child(size_t index) const;

 private:
  bool IsGrid() const;
  std::vector<SweepError> GridErrors() const;
  std::vector<SweepError> CaseErrors() const;
  // The key may be swept, and the value is one for it.
  std::optional<ValueError> CheckSetting(const std::string& key, const std::string& value) const;
  SweepChild GridChild(size_t index) const;
  SweepChild CaseChild(size_t index) const;

  v1::Recipe base_;  // Without the sweep.
  v1::Sweep sweep_;
  // A protobuf map has no order: keys are taken alphabetically; the last one changes fastest.
  std::vector<std::pair<std::string, std::vector<std::string>>> parameters_;
};

}  // namespace ridgeline::recipe_internal
