// SPDX-License-Identifier: Apache-2.0
// Collects problems with their places.
#include "recipes/findings.h"

#include <algorithm>
#include <climits>
#include <tuple>
#include <utility>

#include "fmt/format.h"
#include "recipes/scalar.h"

namespace ridgeline {

std::string RecipeProblem::ToString() const {
  std::string text = file;
  if (line > 0) text += fmt::format(":{}:{}", line, column);
  if (!text.empty()) text += ": ";
  if (!key.empty()) text += key + ": ";
  text += message;
  if (!remedy.empty()) text += fmt::format(" ({})", remedy);
  return text;
}

namespace {

// "sweep.cases[1].set.optimizer.lr" -> "sweep.cases[1].set.optimizer" -> ... -> "sweep.cases" -> "sweep" -> "".
std::string ParentKey(const std::string& key) {
  size_t cut = key.find_last_of(".[");
  return cut == std::string::npos ? "" : key.substr(0, cut);
}

}  // namespace

RecipePlace PlaceOf(const RecipePlaces& places, std::string key) {
  while (true) {
    auto found = places.find(key);
    if (found != places.end()) return found->second;
    if (key.empty()) return {};
    key = ParentKey(key);
  }
}

namespace recipe_internal {

bool Findings::IsBroken(const std::string& key) const {
  for (std::string at = key; !at.empty(); at = ParentKey(at)) {
    if (broken_.contains(at)) return true;
  }
  return false;
}

void Findings::Push(const RecipePlace& place, const std::string& key, std::string message, std::string remedy) {
  if (Full()) {
    ++left_out_;
    return;
  }
  // Keys of maps are anybody's text.
  problems_.push_back(
      {place.file, place.line, place.column, CheckText(key) ? Shown(key) : key, std::move(message), std::move(remedy)});
}

void Findings::Add(const std::string& key, std::string message, std::string remedy) {
  if (!key.empty()) MarkBroken(key);
  Push(PlaceOf(places_, key), key, std::move(message), std::move(remedy));
}

void Findings::AddAt(Place place, const std::string& key, std::string message, std::string remedy) {
  Push({file_, place.line, place.column}, key, std::move(message), std::move(remedy));
}

void Findings::AddFromOverride(const std::string& key, std::string message, std::string remedy) {
  Push({"--set"}, key, std::move(message), std::move(remedy));
}

std::vector<RecipeProblem> Findings::Take() {
  auto order = [](const RecipeProblem& problem) {
    return std::make_tuple(problem.line > 0 ? problem.line : INT_MAX, problem.column);
  };
  std::stable_sort(problems_.begin(), problems_.end(),
                   [&](const RecipeProblem& a, const RecipeProblem& b) { return order(a) < order(b); });
  if (left_out_ > 0) {
    problems_.push_back(
        {file_, 0, 0, "", fmt::format("{} more problems are not shown", left_out_), "fix those above first"});
  }
  return std::move(problems_);
}

}  // namespace recipe_internal
}  // namespace ridgeline
