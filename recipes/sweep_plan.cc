// SPDX-License-Identifier: Apache-2.0
// Grids and cases: their errors and their children.
#include "recipes/sweep_plan.h"

#include <algorithm>
#include <set>

#include "fmt/format.h"
#include "recipes/recipe_reader.h"
#include "recipes/set_field.h"

namespace ridgeline::recipe_internal {
namespace {

std::map<std::string, std::string> Sorted(const google::protobuf::Map<std::string, std::string>& map) {
  return {map.begin(), map.end()};
}

// The schema knows every key that was checked, so setting it again cannot fail.
void Set(SweepChild* child, const std::string& key, const std::string& value, std::string source) {
  SetByKey(&child->recipe, key, value);
  child->sources[key] = std::move(source);
}

}  // namespace

SweepPlan::SweepPlan(const v1::Recipe& recipe) : base_(recipe), sweep_(recipe.sweep()) {
  base_.clear_sweep();
  for (const auto& [key, list] : sweep_.parameters()) {
    parameters_.emplace_back(key, std::vector<std::string>(list.values().begin(), list.values().end()));
  }
  std::sort(parameters_.begin(), parameters_.end());
}

bool SweepPlan::IsGrid() const { return !sweep_.has_method() || sweep_.method() == "grid"; }

size_t SweepPlan::size() const {
  if (!IsGrid()) return sweep_.cases_size();
  size_t count = 1;
  for (const auto& [key, values] : parameters_) count = std::min(count * values.size(), 1'000 * kMaxSweepChildren);
  return count;
}

std::vector<SweepError> SweepPlan::Errors() const {
  std::vector<SweepError> errors = IsGrid() ? GridErrors() : CaseErrors();
  if (size() > kMaxSweepChildren) {
    errors.push_back({IsGrid() ? "sweep.parameters" : "sweep.cases",
                      {fmt::format("the sweep has over {} children", kMaxSweepChildren), "split it"}});
  }
  return errors;
}

std::optional<ValueError> SweepPlan::CheckSetting(const std::string& key, const std::string& value) const {
  if (key == "sweep" || key.starts_with("sweep.")) return ValueError{"a sweep cannot be swept", "remove the key"};
  if (key == "name") return ValueError{"the sweep names its children itself", "remove the key"};
  v1::Recipe scratch;
  return SetByKey(&scratch, key, value);
}

std::vector<SweepError> SweepPlan::GridErrors() const {
  std::vector<SweepError> errors;
  if (sweep_.cases_size() > 0) {
    errors.push_back({"sweep.cases", {"method grid takes no cases", "set sweep.method to cases"}});
  }
  if (parameters_.empty()) {
    errors.push_back({"sweep.parameters", {"is required by method grid", "for instance {optimizer.lr: [1e-3, 3e-3]}"}});
  }
  for (const auto& [key, values] : parameters_) {
    std::string place = "sweep.parameters." + key;
    if (values.empty()) errors.push_back({place, {"has no values", "write at least one, or remove the key"}});
    std::set<std::string> seen;
    for (size_t i = 0; i < values.size(); ++i) {
      std::string item = fmt::format("{}[{}]", place, i);
      if (auto error = CheckSetting(key, values[i])) {
        errors.push_back({item, *error});
      } else if (!seen.insert(values[i]).second) {
        errors.push_back({item, {fmt::format("{} is in the list twice", Shown(values[i])), "remove one"}});
      }
    }
  }
  return errors;
}

std::vector<SweepError> SweepPlan::CaseErrors() const {
  std::vector<SweepError> errors;
  if (!parameters_.empty()) {
    errors.push_back({"sweep.parameters", {"method cases takes no parameters", "set sweep.method to grid"}});
  }
  if (sweep_.cases_size() == 0) {
    errors.push_back(
        {"sweep.cases", {"is required by method cases", "for instance [{name: a, set: {optimizer.lr: 1e-3}}]"}});
  }
  std::map<std::string, int> seen;
  for (int i = 0; i < sweep_.cases_size(); ++i) {
    const v1::SweepCase& one = sweep_.cases(i);
    std::string place = fmt::format("sweep.cases[{}]", i);
    auto [first, is_new] = seen.emplace(one.name(), i);
    if (one.has_name() && !is_new) {
      errors.push_back({place + ".name",
                        {fmt::format("{} is already the name of case {}", Shown(one.name()), first->second + 1),
                         "give each case a name of its own"}});
    }
    for (const auto& [key, value] : Sorted(one.set())) {
      if (auto error = CheckSetting(key, value)) errors.push_back({fmt::format("{}.set.{}", place, key), *error});
    }
  }
  return errors;
}

SweepChild SweepPlan::Child(size_t index) const { return IsGrid() ? GridChild(index) : CaseChild(index); }

SweepChild SweepPlan::GridChild(size_t index) const {
  SweepChild child{base_, {}, "sweep.parameters"};
  std::vector<size_t> picks(parameters_.size());
  for (size_t p = parameters_.size(); p-- > 0;) {
    picks[p] = index % parameters_[p].second.size();
    index /= parameters_[p].second.size();
  }
  std::string name = base_.has_name() ? base_.name() : "job";
  for (size_t p = 0; p < parameters_.size(); ++p) {
    const auto& [key, values] = parameters_[p];
    name += fmt::format("{}{}={}", p == 0 ? '/' : ',', key, values[picks[p]]);
    Set(&child, key, values[picks[p]], fmt::format("sweep.parameters.{}[{}]", key, picks[p]));
  }
  child.recipe.set_name(name);
  return child;
}

SweepChild SweepPlan::CaseChild(size_t index) const {
  const v1::SweepCase& one = sweep_.cases(static_cast<int>(index));
  std::string place = fmt::format("sweep.cases[{}]", index);
  SweepChild child{base_, {}, place + ".name"};
  for (const auto& [key, value] : Sorted(one.set())) Set(&child, key, value, fmt::format("{}.set.{}", place, key));
  child.recipe.set_name(one.name());
  child.sources["name"] = place + ".name";
  return child;
}

}  // namespace ridgeline::recipe_internal
