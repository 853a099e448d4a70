// SPDX-License-Identifier: Apache-2.0
// Grids, cases and draws: their errors and their children.
#include "recipes/sweep_plan.h"

#include <algorithm>
#include <set>

#include "fmt/format.h"
#include "recipes/recipe_reader.h"
#include "recipes/set_field.h"
#include "recipes/sweep_draws.h"

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
  const std::map<std::string, v1::SweepValues> sorted(sweep_.parameters().begin(), sweep_.parameters().end());
  parameters_.assign(sorted.begin(), sorted.end());
}

SweepPlan::Method SweepPlan::method() const {
  if (!sweep_.has_method() || sweep_.method() == "grid") return Method::kGrid;
  return sweep_.method() == "cases" ? Method::kCases : Method::kDraws;
}

size_t SweepPlan::size() const {
  if (method() == Method::kCases) return sweep_.cases_size();
  if (method() == Method::kDraws) return static_cast<size_t>(std::max(0, sweep_.trials()));
  size_t count = 1;
  for (const auto& [key, list] : parameters_)
    count = std::min(count * static_cast<size_t>(list.values_size()), 1'000 * kMaxSweepChildren);
  return count;
}

std::vector<SweepError> SweepPlan::Errors() const {
  std::vector<SweepError> errors = method() == Method::kCases ? CaseErrors() : ParameterErrors();
  if (method() == Method::kDraws) {
    for (SweepError& error : DrawErrors()) errors.push_back(std::move(error));
  }
  for (SweepError& error : IdleKeyErrors()) errors.push_back(std::move(error));
  if (size() > kMaxSweepChildren) {
    errors.push_back({method() == Method::kCases ? "sweep.cases" : "sweep.parameters",
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

std::vector<SweepError> SweepPlan::ParameterErrors() const {
  std::vector<SweepError> errors;
  const std::string name = sweep_.has_method() ? sweep_.method() : "grid";
  if (sweep_.cases_size() > 0) {
    errors.push_back({"sweep.cases", {fmt::format("method {} takes no cases", name), "set sweep.method to cases"}});
  }
  if (parameters_.empty()) {
    errors.push_back({"sweep.parameters",
                      {fmt::format("is required by method {}", name), "for instance {optimizer.lr: [1e-3, 3e-3]}"}});
  }
  for (const auto& [key, values] : parameters_) {
    for (SweepError& error : IsRange(values) ? RangeErrors(key, values) : ListErrors(key, values))
      errors.push_back(std::move(error));
  }
  return errors;
}

std::vector<SweepError> SweepPlan::ListErrors(const std::string& key, const v1::SweepValues& list) const {
  std::vector<SweepError> errors;
  const std::string place = "sweep.parameters." + key;
  if (list.values().empty()) errors.push_back({place, {"has no values", "write at least one, or remove the key"}});
  std::set<std::string> seen;
  for (int i = 0; i < list.values_size(); ++i) {
    std::string item = fmt::format("{}[{}]", place, i);
    if (auto error = CheckSetting(key, list.values(i))) {
      errors.push_back({item, *error});
    } else if (!seen.insert(list.values(i)).second) {
      errors.push_back({item, {fmt::format("{} is in the list twice", Shown(list.values(i))), "remove one"}});
    }
  }
  return errors;
}

std::vector<SweepError> SweepPlan::RangeErrors(const std::string& key, const v1::SweepValues& range) const {
  const std::string place = "sweep.parameters." + key;
  if (method() == Method::kGrid)
    return {{place, {"a grid takes a list of values", "write [1e-3, 3e-3], or set sweep.method to random"}}};
  if (auto error = CheckRange(range)) return {{place, *error}};
  // Whatever lies between two values that the key takes is one, too; the first draw is of its kind.
  if (auto error = CheckSetting(key, DrawValue(range, key, sweep_.seed(), 0))) return {{place, *error}};
  return {};
}

std::vector<SweepError> SweepPlan::DrawErrors() const {
  std::vector<SweepError> errors;
  if (sweep_.trials() < 1) {
    errors.push_back({"sweep.trials", {fmt::format("is required by method {}", sweep_.method()), "for instance 16"}});
  }
  if (!IsAsha()) return errors;
  if (sweep_.parameters().count("training.steps") > 0) {
    errors.push_back({"sweep.parameters.training.steps",
                      {"trials of asha all go to the same step", "set training.steps once, for all of them"}});
  }
  v1::Recipe complete = base_;
  ApplyRecipeDefaults(&complete);
  const int64_t steps = complete.training().steps();
  if (sweep_.min_steps() >= steps) {
    errors.push_back({"sweep.min_steps",
                      {fmt::format("is not below training.steps ({}), so that nothing would be stopped early", steps),
                       "choose a smaller one"}});
  }
  const bool is_second = sweep_.metric().starts_with("second_");
  if (is_second && !complete.validation().has_second_path()) {
    errors.push_back({"sweep.metric",
                      {fmt::format("{} is measured on validation.second_path, which is not set", sweep_.metric()),
                       "set it, or choose validation_loss"}});
  }
  return errors;
}

// Keys that the method does not look at, unless they say what they say anyway.
std::vector<SweepError> SweepPlan::IdleKeyErrors() const {
  v1::Recipe defaults;
  defaults.mutable_sweep();
  ApplyRecipeDefaults(&defaults);
  const v1::Sweep& usual = defaults.sweep();
  const bool draws = method() == Method::kDraws;
  const std::pair<const char*, bool> keys[] = {
      {"trials", !draws && sweep_.has_trials() && sweep_.trials() != usual.trials()},
      {"seed", !draws && sweep_.has_seed() && sweep_.seed() != usual.seed()},
      {"metric", !IsAsha() && sweep_.has_metric() && sweep_.metric() != usual.metric()},
      {"min_steps", !IsAsha() && sweep_.has_min_steps() && sweep_.min_steps() != usual.min_steps()},
      {"reduction", !IsAsha() && sweep_.has_reduction() && sweep_.reduction() != usual.reduction()},
  };
  std::vector<SweepError> errors;
  for (const auto& [key, is_idle] : keys) {
    if (!is_idle) continue;
    errors.push_back({fmt::format("sweep.{}", key),
                      {fmt::format("method {} does not look at it", sweep_.has_method() ? sweep_.method() : "grid"),
                       "remove it, or set sweep.method to asha"}});
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

SweepChild SweepPlan::Child(size_t index) const {
  if (method() == Method::kCases) return CaseChild(index);
  return method() == Method::kGrid ? GridChild(index) : DrawnChild(index);
}

SweepChild SweepPlan::GridChild(size_t index) const {
  SweepChild child{base_, {}, "sweep.parameters"};
  std::vector<int> picks(parameters_.size());
  for (size_t p = parameters_.size(); p-- > 0;) {
    const auto count = static_cast<size_t>(parameters_[p].second.values_size());
    picks[p] = static_cast<int>(index % count);
    index /= count;
  }
  std::string name = base_.has_name() ? base_.name() : "job";
  for (size_t p = 0; p < parameters_.size(); ++p) {
    const auto& [key, list] = parameters_[p];
    name += fmt::format("{}{}={}", p == 0 ? '/' : ',', key, list.values(picks[p]));
    Set(&child, key, list.values(picks[p]), fmt::format("sweep.parameters.{}[{}]", key, picks[p]));
  }
  child.recipe.set_name(name);
  return child;
}

SweepChild SweepPlan::DrawnChild(size_t index) const {
  SweepChild child{base_, {}, "sweep.parameters"};
  v1::Recipe defaults;
  defaults.mutable_sweep();
  ApplyRecipeDefaults(&defaults);
  const int64_t seed = sweep_.has_seed() ? sweep_.seed() : defaults.sweep().seed();
  // Its number comes first: draws from short lists may be equal.
  std::string name = fmt::format("{}/trial={}", base_.has_name() ? base_.name() : "job", index + 1);
  for (const auto& [key, values] : parameters_) {
    const std::string value = DrawValue(values, key, seed, static_cast<int64_t>(index));
    name += fmt::format(",{}={}", key, value);
    Set(&child, key, value, "sweep.parameters." + key);
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
