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
  std::string source;                          // "sweep.cases[2].name"; else "sweep.parameters".
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
  enum class Method { kGrid, kCases, kDraws };  // Draws: random, and asha.
  Method method() const;
  bool IsAsha() const { return sweep_.method() == "asha"; }

  std::vector<SweepError> ParameterErrors() const;
  std::vector<SweepError> ListErrors(const std::string& key, const v1::SweepValues& list) const;
  std::vector<SweepError> RangeErrors(const std::string& key, const v1::SweepValues& range) const;
  std::vector<SweepError> CaseErrors() const;
  std::vector<SweepError> DrawErrors() const;
  std::vector<SweepError> IdleKeyErrors() const;
  // The key may be swept, and the value is one for it.
  std::optional<ValueError> CheckSetting(const std::string& key, const std::string& value) const;
  SweepChild GridChild(size_t index) const;
  SweepChild CaseChild(size_t index) const;
  SweepChild DrawnChild(size_t index) const;

  v1::Recipe base_;  // Without the sweep.
  v1::Sweep sweep_;
  // A protobuf map has no order: keys are taken alphabetically; the last one changes fastest.
  std::vector<std::pair<std::string, v1::SweepValues>> parameters_;
};

}  // namespace ridgeline::recipe_internal
