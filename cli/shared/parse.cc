// SPDX-License-Identifier: Apache-2.0
// Option values; every error names the value and what would be right.
#include "cli/shared/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "common/status_macros.h"

namespace ridgeline {
namespace {

std::vector<std::string> SplitCommas(const std::string& text) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

}  // namespace

absl::StatusOr<std::pair<std::string, std::string>> ParseOverride(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return absl::InvalidArgumentError(fmt::format("'{}' is not key=value (for instance training.steps=200)", text));
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

absl::StatusOr<std::map<std::string, std::string>> ParseSelector(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> selector;
  for (const std::string& text : texts) {
    for (const std::string& part : SplitCommas(text)) {
      const size_t equals = part.find('=');
      if (equals == std::string::npos || equals == 0) {
        return absl::InvalidArgumentError(
            fmt::format("selector '{}': '{}' is not key=value (for instance -l study=demo)", text, part));
      }
      const std::string key = part.substr(0, equals), value = part.substr(equals + 1);
      const auto [entry, added] = selector.emplace(key, value);
      if (!added && entry->second != value) {
        return absl::InvalidArgumentError(
            fmt::format("selector: '{}' cannot be both '{}' and '{}'", key, entry->second, value));
      }
    }
  }
  return selector;
}

absl::StatusOr<std::chrono::milliseconds> ParseDuration(const std::string& text) {
  const auto bad = [&] {
    return absl::InvalidArgumentError(fmt::format("'{}' is not a duration (for instance 90s, 10m, 2h, 1d)", text));
  };
  size_t used = 0;
  double number = 0;
  try {
    number = std::stod(text, &used);
  } catch (const std::exception&) {
    return bad();
  }
  const std::string unit = text.substr(used);
  const double scale = unit.empty() || unit == "s" ? 1
                       : unit == "ms"              ? 1e-3
                       : unit == "m"               ? 60
                       : unit == "h"               ? 3600
                       : unit == "d"               ? 86400
                                                   : 0;
  if (scale == 0 || !std::isfinite(number) || number < 0 || number * scale > 1e9) return bad();
  return std::chrono::milliseconds(std::llround(number * scale * 1000));
}

absl::StatusOr<std::vector<v1::JobState>> ParseJobStates(const std::vector<std::string>& texts) {
  std::vector<v1::JobState> states;
  for (const std::string& text : texts) {
    for (std::string word : SplitCommas(text)) {
      std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::toupper(c); });
      v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
      if (!v1::JobState_Parse(word, &state) || state == v1::JOB_STATE_UNSPECIFIED) {
        return absl::InvalidArgumentError(
            fmt::format("--state {}: no such state (allowed: queued, running, succeeded, failed, cancelled)", text));
      }
      states.push_back(state);
    }
  }
  return states;
}

}  // namespace ridgeline
