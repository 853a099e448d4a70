// SPDX-License-Identifier: Apache-2.0
// Checks for numeric options of command lines. Those of CLI11 let NaN pass, and turn what is past a type's limits into
// other numbers.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>

#include "common/numbers.h"
#include "fmt/format.h"

namespace ridgeline {

// Every option that takes a number has one of these: a test looks for the name.
inline constexpr char kNumberCheck[] = "number";

inline CLI::Validator IntegerFrom(int64_t low, int64_t high) {
  auto check = [low, high](std::string& text) { return std::string(ParseInteger(text, low, high).status().message()); };
  return CLI::Validator(check, fmt::format("{}..{}", low, high), kNumberCheck);
}

inline CLI::Validator IntegerFrom(int64_t low) { return IntegerFrom(low, std::numeric_limits<int64_t>::max()); }

inline CLI::Validator NumberFrom(double low, double high) {
  auto check = [low, high](std::string& text) { return std::string(ParseNumber(text, low, high).status().message()); };
  return CLI::Validator(check, fmt::format("{}..{}", low, high), kNumberCheck);
}

}  // namespace ridgeline
