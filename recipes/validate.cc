// SPDX-License-Identifier: Apache-2.0
// Applies the checks to a recipe, or to every child of a sweep: only the children run, so only they must be whole.
#include "recipes/validate.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "fmt/format.h"
#include "recipes/checks.h"
#include "recipes/sweep_plan.h"

namespace ridgeline {
namespace recipe_internal {
namespace {

bool AnyBroken(const Issue& issue, const Findings& findings) {
  auto broken = [&](const std::string& key) { return findings.IsBroken(key); };
  return std::any_of(issue.depends_on.begin(), issue.depends_on.end(), broken);
}

// Unless it only follows from a problem that is known already.
void Report(const Issue& issue, Findings* findings) {
  if (!AnyBroken(issue, *findings)) findings->Add(issue.key, issue.message, issue.remedy);
}

// Rules say nothing about fields that are wrong by themselves.
std::vector<Issue> CheckOne(v1::Recipe recipe) {
  std::vector<Issue> issues, rule_issues;
  CheckFields(recipe, "", &issues);
  ApplyRecipeDefaults(&recipe);
  CheckRules(recipe, &rule_issues);
  Findings field_findings("");
  for (const Issue& issue : issues) field_findings.MarkBroken(issue.key);
  for (Issue& issue : rule_issues) {
    if (!AnyBroken(issue, field_findings)) issues.push_back(std::move(issue));
  }
  return issues;
}

// The same issue in every child is one problem of the recipe; in some of them, it is a problem of those.
class ChildIssues {
 public:
  void Add(const std::string& name, const SweepChild& child, Issue issue) {
    Group& group = groups_[{issue.key, issue.message}];
    group.children.push_back({name, SourceOf(child, issue)});
    group.issue = std::move(issue);
  }

  bool Full() const { return groups_.size() >= Findings::kMaxProblems; }

  void ReportAll(size_t child_count, Findings* findings) const {
    for (const auto& [key_and_message, group] : groups_) {
      if (AnyBroken(group.issue, *findings)) continue;
      if (group.children.size() == child_count && child_count > 1) {
        Report(group.issue, findings);
        continue;
      }
      // In a grid, one value may be to blame for many children: the first of them will do.
      std::set<std::string> reported;
      for (const auto& [name, source] : group.children) {
        if (!reported.insert(source).second) continue;
        std::string key = source == group.issue.key ? "" : group.issue.key + ": ";
        findings->Add(source, fmt::format("in child {}: {}{}", Shown(name), key, group.issue.message),
                      group.issue.remedy);
      }
    }
  }

 private:
  struct Group {
    Issue issue;
    std::vector<std::pair<std::string, std::string>> children;  // Name, and the key that is to blame.
  };

  // What the sweep set is to blame first: the key itself, or one that the rule looks at.
  static std::string SourceOf(const SweepChild& child, const Issue& issue) {
    auto found = child.sources.find(issue.key);
    for (const std::string& key : issue.depends_on) {
      if (found == child.sources.end()) found = child.sources.find(key);
    }
    return found == child.sources.end() ? child.source : found->second;
  }

  std::map<std::pair<std::string, std::string>, Group> groups_;
};

// True if the sweep can be expanded.
bool ValidateSweepSection(const v1::Recipe& recipe, const SweepPlan& plan, Findings* findings) {
  std::vector<Issue> issues;
  CheckFields(recipe.sweep(), "sweep", &issues);
  for (const Issue& issue : issues) Report(issue, findings);
  if (findings->IsBroken("sweep.method")) return false;
  std::vector<SweepError> errors = plan.Errors();
  for (const SweepError& error : errors) {
    Report({error.key, error.error.message, error.error.remedy, {error.key}}, findings);
  }
  return issues.empty() && errors.empty();
}

void ValidateSweep(const v1::Recipe& recipe, Findings* findings) {
  SweepPlan plan(recipe);
  bool expandable = ValidateSweepSection(recipe, plan, findings);
  v1::Recipe base = recipe;
  base.clear_sweep();
  for (const Issue& issue : CheckOne(base)) {
    // Children have names of their own; the base's is that of the whole sweep.
    if (!expandable || issue.key == "name") Report(issue, findings);
  }
  if (!expandable) return;
  ChildIssues child_issues;
  size_t checked = 0;
  for (; checked < plan.size() && !child_issues.Full(); ++checked) {
    SweepChild child = plan.Child(checked);
    std::string name = child.recipe.name();
    for (Issue& issue : CheckOne(std::move(child.recipe))) child_issues.Add(name, child, std::move(issue));
  }
  child_issues.ReportAll(checked, findings);
}

}  // namespace

void Validate(const v1::Recipe& recipe, Findings* findings) {
  if (recipe.has_sweep()) return ValidateSweep(recipe, findings);
  for (const Issue& issue : CheckOne(recipe)) Report(issue, findings);
}

}  // namespace recipe_internal

std::vector<RecipeProblem> ValidateRecipe(const v1::Recipe& recipe) {
  recipe_internal::Findings findings("");
  recipe_internal::Validate(recipe, &findings);
  return findings.Take();
}

}  // namespace ridgeline
