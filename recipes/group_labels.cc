// SPDX-License-Identifier: Apache-2.0
#include "recipes/group_labels.h"

#include <algorithm>
#include <string_view>

#include "common/printable.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_./").find(c) != std::string_view::npos;
}

absl::Status CheckPart(std::string_view part, const char* what, const std::string& label) {
  if (part.size() > kMaxGroupLabelBytes)
    return absl::InvalidArgumentError(
        fmt::format("label '{}': its {} has more than {} characters", label, what, kMaxGroupLabelBytes));
  if (std::all_of(part.begin(), part.end(), IsPlain)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("label '{}': its {} may only have letters, digits and '-', '_', '.', '/'", label, what));
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ParseGroupLabels(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> labels;
  for (const std::string& text : texts) {
    const std::string shown = PrintableLine(text, 4 * kMaxGroupLabelBytes);
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return absl::InvalidArgumentError(
          fmt::format("label '{}' is not key=value (for instance --label site=north)", shown));
    const std::string key = text.substr(0, equals), value = text.substr(equals + 1);
    RETURN_IF_ERROR(CheckPart(key, "key", shown));
    RETURN_IF_ERROR(CheckPart(value, "value", shown));
    const auto [entry, is_new] = labels.emplace(key, value);
    if (!is_new && entry->second != value)
      return absl::InvalidArgumentError(
          fmt::format("label '{}' cannot be both '{}' and '{}'", key, entry->second, value));
  }
  if (labels.size() > kMaxGroupLabels)
    return absl::InvalidArgumentError(fmt::format("{} labels: at most {}", labels.size(), kMaxGroupLabels));
  return labels;
}

}  // namespace ridgeline
