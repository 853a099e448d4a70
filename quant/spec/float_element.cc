// SPDX-License-Identifier: Apache-2.0
#include "quant/spec/float_element.h"

#include <algorithm>
#include <cmath>

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

}  // namespace ridgeline
