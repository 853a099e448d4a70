// SPDX-License-Identifier: Apache-2.0
#include "weights/json.h"

#include <array>
#include <limits>
#include <set>
#include <vector>

#include "common/file.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"
#include "weights/file_kind.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

// Python's words for numbers that JSON lacks, and the texts that stand for them while nlohmann's parser reads. A file
// that spells such a text itself says the same with it.
struct NonFinite {
  std::string_view word, escaped, text;
  double value;
};
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::array<NonFinite, 3> kNonFinite = {
    {{"-Infinity", "\"\\u0000-Infinity\"", {"\0-Infinity", 10}, -kInfinity},
     {"Infinity", "\"\\u0000Infinity\"", {"\0Infinity", 9}, kInfinity},
     {"NaN", "\"\\u0000NaN\"", {"\0NaN", 4}, std::numeric_limits<double>::quiet_NaN()}}};

const NonFinite* NonFiniteAt(std::string_view text, size_t at) {
  for (const NonFinite& number : kNonFinite)
    if (text.substr(at).starts_with(number.word)) return &number;
  return nullptr;
}

// The number that a text stands for.
const NonFinite* NonFiniteOf(std::string_view text) {
  for (const NonFinite& number : kNonFinite)
    if (text == number.text) return &number;
  return nullptr;
}

// The end of the string that begins at `at`, or of the text.
size_t EndOfString(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return std::min(at + 1, text.size());
}

std::string EscapeNonFinite(std::string_view text) {
  std::string escaped;
  for (size_t at = 0; at < text.size();) {
    const NonFinite* number = NonFiniteAt(text, at);
    const size_t end = text[at] == '"' ? EndOfString(text, at) : at + (number ? number->word.size() : 1);
    escaped += number ? number->escaped : text.substr(at, end - at);
    at = end;
  }
  return escaped;
}

// nlohmann's parser asks it at every value; what it declines is not kept.
class Strict {
 public:
  explicit Strict(const JsonOptions& options) : options_(options) {}

  // `depth` is that of the parent: 0 for the outermost value.
  bool Keep(int depth, Json::parse_event_t event, Json& parsed) {
    if (!fault_.empty()) return false;
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) {
      if (depth >= options_.max_depth)
        fault_ = fmt::format("it is nested more than {} levels deep", options_.max_depth);
      keys_.resize(static_cast<size_t>(depth) + 1);
      keys_.back().clear();
    } else if (event == Json::parse_event_t::key) {
      const std::string& key = parsed.get_ref<const std::string&>();
      if (!keys_[static_cast<size_t>(depth) - 1].insert(key).second) fault_ = fmt::format("the key '{}' repeats", key);
      if (NonFiniteOf(key) != nullptr) fault_ = "a key is not a text";
    } else if (event == Json::parse_event_t::value && options_.non_finite && parsed.is_string()) {
      if (const NonFinite* number = NonFiniteOf(parsed.get_ref<const std::string&>())) parsed = number->value;
    }
    return fault_.empty();
  }

  const std::string& fault() const { return fault_; }

 private:
  const JsonOptions& options_;
  std::string fault_;
  std::vector<std::set<std::string>> keys_;  // By depth, of the objects that are open
};

// nlohmann's words without its number: "parse error at line 1, column 5: ...".
std::string WhatOf(const Json::exception& error) {
  const std::string_view what = error.what();
  const size_t end = what.find("] ");
  return ToValidUtf8(end == std::string_view::npos ? what : what.substr(end + 2));
}

absl::StatusOr<Json> Parse(std::string_view text, Strict* strict) {
  auto keep = [&](int depth, Json::parse_event_t event, Json& parsed) { return strict->Keep(depth, event, parsed); };
  try {
    return Json::parse(text.begin(), text.end(), keep);
  } catch (const Json::exception& error) {  // The library has no errors as values that say where.
    return absl::DataLossError(fmt::format("it is not a JSON object: {}", WhatOf(error)));
  }
}

}  // namespace

absl::StatusOr<Json> ParseJsonObject(std::string_view text, const JsonOptions& options) {
  if (text.size() > options.max_bytes)
    return absl::DataLossError(fmt::format("it has {} bytes, more than {}", text.size(), options.max_bytes));
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Strict strict(options);
  absl::StatusOr<Json> json = options.non_finite ? Parse(EscapeNonFinite(text), &strict) : Parse(text, &strict);
  if (!strict.fault().empty()) return absl::DataLossError(strict.fault());
  if (json.ok() && !json->is_object()) return absl::DataLossError("it is not a JSON object");
  return json;
}

absl::StatusOr<Json> ReadJsonFile(const std::string& path, const JsonOptions& options) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, options.max_bytes));
  RETURN_IF_ERROR(CheckFileKind(text, path, FileKind::kJson));
  absl::StatusOr<Json> json = ParseJsonObject(text, options);
  if (json.ok()) return json;
  return absl::DataLossError(fmt::format("{}: {}", path, std::string(json.status().message())));
}

}  // namespace ridgeline
