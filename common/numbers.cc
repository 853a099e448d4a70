// SPDX-License-Identifier: Apache-2.0
#include "common/numbers.h"

#include <charconv>

#include "absl/status/status.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

// Nothing unless all of the text is a number of this type.
template <typename T>
bool ReadAll(std::string_view text, T* value) {
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && stopped == end && !text.empty();
}

}  // namespace

absl::StatusOr<double> ParseNumber(std::string_view text, double low, double high) {
  double value = 0;
  // NaN is in no range.
  if (ReadAll(text, &value) && value >= low && value <= high) return value;
  return absl::InvalidArgumentError(fmt::format("'{}' is not a number from {} to {}", text, low, high));
}

absl::StatusOr<int64_t> ParseInteger(std::string_view text, int64_t low, int64_t high) {
  int64_t value = 0;
  if (ReadAll(text, &value) && value >= low && value <= high) return value;
  return absl::InvalidArgumentError(fmt::format("'{}' is not a whole number from {} to {}", text, low, high));
}

}  // namespace ridgeline
