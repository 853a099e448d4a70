// SPDX-License-Identifier: Apache-2.0
#include "method/format.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "fmt/format.h"

namespace ridgeline {
namespace {

// 0 and the positive numbers, ascending.
std::vector<double> MagnitudesOf(const FloatElement& element) {
  const int steps = 1 << element.mantissa_bits;
  std::vector<double> magnitudes;
  for (int mantissa = 0; mantissa < steps; ++mantissa)
    magnitudes.push_back(std::ldexp(mantissa, element.smallest_exponent() - element.mantissa_bits));
  for (int exponent = element.smallest_exponent(); magnitudes.back() < element.largest; ++exponent)
    for (int mantissa = steps; mantissa < 2 * steps && magnitudes.back() < element.largest; ++mantissa)
      magnitudes.push_back(std::ldexp(mantissa, exponent - element.mantissa_bits));
  return magnitudes;
}

}  // namespace

std::vector<double> LevelsOf(Format format) {
  std::vector<double> levels;
  const FloatElement element = FloatElementOf(format);
  if (!element.enabled())
    for (double level = 0; level <= LargestElement(format); ++level) levels.push_back(level);
  else
    levels = MagnitudesOf(element);
  for (size_t i = levels.size(); --i > 0;) levels.push_back(-levels[i]);
  std::sort(levels.begin(), levels.end());
  return levels;
}

absl::StatusOr<Format> ParseFormat(std::string_view name) {
  std::string names;
  for (const FormatTraits& traits : kFormats) {
    if (traits.name == name) return traits.format;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", traits.name);
  }
  return absl::InvalidArgumentError(fmt::format("unknown format '{}': use {}", name, names));
}

std::vector<Format> EveryFormat() {
  std::vector<Format> formats;
  for (const FormatTraits& traits : kFormats)
    if (traits.format != Format::kNone) formats.push_back(traits.format);
  return formats;
}

}  // namespace ridgeline
