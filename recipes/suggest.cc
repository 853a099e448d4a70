// SPDX-License-Identifier: Apache-2.0
// Edit distance over the schema's keys.
#include "recipes/suggest.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "recipes/explain.h"
#include "recipes/schema.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline::recipe_internal {
namespace {

using google::protobuf::Descriptor;

// Longer names are nobody's typo, and would make the distance slow.
constexpr size_t kMaxGuessedBytes = 64;
constexpr size_t kMaxGuesses = 3;

std::string_view LastPart(std::string_view key) { return key.substr(key.rfind('.') + 1); }

std::vector<std::string> FieldNames(const Descriptor* at) {
  std::vector<std::string> names;
  for (int i = 0; i < at->field_count(); ++i) names.push_back(at->field(i)->name());
  return names;
}

std::vector<std::string> KeysEndingIn(std::string_view name) {
  std::vector<std::string> keys;
  for (const std::string& key : AllRecipeKeys()) {
    if (LastPart(key) == name && keys.size() < kMaxGuesses) keys.push_back(key);
  }
  return keys;
}

std::vector<std::string> KeysEndingNear(std::string_view name) {
  std::vector<std::string> last_parts;
  for (const std::string& key : AllRecipeKeys()) last_parts.emplace_back(LastPart(key));
  std::vector<std::string> near = Nearest(name, last_parts);
  return near.empty() ? near : KeysEndingIn(near.front());
}

// "int16" is of the stem "int" and has the number 16, and so has "fp8_e4m3" 8; nothing for what has no number there.
struct Numbered {
  std::string_view stem, rest;
  int64_t number = 0;
};
std::optional<Numbered> NumberedFrom(std::string_view text) {
  const size_t digits = text.find_first_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos) return std::nullopt;
  Numbered result{.stem = text.substr(0, digits)};
  const auto [end, error] = std::from_chars(text.data() + digits, text.data() + text.size(), result.number);
  if (error != std::errc()) return std::nullopt;
  result.rest = text.substr(static_cast<size_t>(end - text.data()));
  return result;
}

// Where values differ in a number, those with the nearest one: what int9 means is int8, though int1 is as many edits
// away. Nothing where fewer than two numbers are to choose from.
std::vector<std::string> NearestByNumber(std::string_view text, const std::vector<std::string>& values) {
  const std::optional<Numbered> wanted = NumberedFrom(text);
  if (!wanted || !wanted->rest.empty()) return {};
  std::map<int64_t, std::vector<std::string>> by_distance;
  std::set<int64_t> numbers;
  for (const std::string& value : values) {
    const std::optional<Numbered> numbered = NumberedFrom(value);
    if (!numbered || numbered->stem != wanted->stem) continue;
    numbers.insert(numbered->number);
    by_distance[std::abs(numbered->number - wanted->number)].push_back(value);
  }
  if (numbers.size() < 2) return {};
  std::vector<std::string> nearest = by_distance.begin()->second;
  nearest.resize(std::min(nearest.size(), kMaxGuesses));
  return nearest;
}

}  // namespace

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before, previous, row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    before = std::move(previous);
    previous = row;
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      bool same = a[i - 1] == b[j - 1];
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (same ? 0 : 1)});
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::vector<std::string> Nearest(std::string_view text, const std::vector<std::string>& candidates) {
  std::vector<std::string> nearest;
  if (text.empty() || text.size() > kMaxGuessedBytes) return nearest;
  size_t best = std::max<size_t>(1, text.size() / 3);
  for (const std::string& candidate : candidates) {
    size_t distance = EditDistance(text, candidate);
    // A distance as long as the word itself says that nothing is left of it.
    if (distance > best || distance >= std::max(text.size(), candidate.size())) continue;
    if (distance < best) nearest.clear();
    best = distance;
    bool known = std::find(nearest.begin(), nearest.end(), candidate) != nearest.end();
    if (!known && nearest.size() < kMaxGuesses) nearest.push_back(candidate);
  }
  return nearest;
}

std::vector<std::string> NearestValues(std::string_view text, const std::vector<std::string>& values) {
  if (std::vector<std::string> family = NearestByNumber(text, values); !family.empty()) return family;
  std::string meant;  // The longest that `text` goes on from.
  for (const std::string& value : values) {
    if (value.size() > meant.size() && text.starts_with(value + "_")) meant = value;
  }
  return meant.empty() ? Nearest(text, values) : std::vector<std::string>{meant};
}

std::vector<std::string> SuggestKeys(const Descriptor* at, std::string_view prefix, std::string_view name) {
  if (name.size() > kMaxGuessedBytes) return {};
  if (ResolveKey(name)) return {std::string(name)};
  std::vector<std::string> elsewhere = KeysEndingIn(name);
  if (!elsewhere.empty()) return elsewhere;
  std::vector<std::string> here = Nearest(name, FieldNames(at));
  for (std::string& key : here) key = JoinKey(prefix, key);
  return here.empty() ? KeysEndingNear(name) : here;
}

std::string DidYouMean(const std::vector<std::string>& keys, std::string_view prefix, std::string otherwise) {
  if (keys.empty()) return otherwise;
  std::vector<std::string> shown;
  for (const std::string& key : keys) {
    bool inside = !prefix.empty() && key.starts_with(JoinKey(prefix, ""));
    bool at_top = !prefix.empty() && key.find('.') == std::string::npos;
    shown.push_back(
        fmt::format("'{}'{}", inside ? key.substr(prefix.size() + 1) : key, at_top ? " at the top level" : ""));
  }
  return fmt::format("did you mean {}?", fmt::join(shown, " or "));
}

std::string RemedyForUnknownKey(std::string_view key) {
  std::vector<std::string> near;
  if (key.size() <= kMaxGuessedBytes) {
    near = KeysEndingIn(LastPart(key));
    std::vector<std::string> close = Nearest(key, AllRecipeKeys());
    // `optimiser.lr` has one key's name and is near one key: the latter tells `model.name` from `optimizer.name`.
    if (near.size() != 1 && !close.empty()) near = close;
    if (near.empty()) near = KeysEndingNear(LastPart(key));
    if (near.empty()) near = Nearest(key, FieldNames(v1::Recipe::descriptor()));
  }
  return DidYouMean(near, "", "`ridgeline explain` lists the keys");
}

std::string KeysOf(const Descriptor* section) {
  return fmt::format("its keys: {}", fmt::join(FieldNames(section), ", "));
}

}  // namespace ridgeline::recipe_internal
