// SPDX-License-Identifier: Apache-2.0
// How tests compare results with what they expect, the one place where it is decided what counts as a difference: a
// number that is not finite, on either side, another length, and nothing at all. std::max passes over a NaN,
// at::allclose and operators of LibTorch over a shape that broadcasts. For tests only; header only.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace ridgeline {

// |got - expected| of each number; infinite where one of the two is not finite. Both hold arithmetic types.
template <typename Got, typename Expected>
std::vector<double> AbsoluteErrors(const Got& got, const Expected& expected) {
  std::vector<double> errors;
  for (size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
    const double a = static_cast<double>(got[i]), b = static_cast<double>(expected[i]);
    const bool comparable = std::isfinite(a) && std::isfinite(b);
    errors.push_back(comparable ? std::abs(a - b) : std::numeric_limits<double>::infinity());
  }
  return errors;
}

// The largest |number| of those that are finite, at least 1e-12, so that errors beside zeros can be relative to it.
template <typename Numbers>
double ScaleOf(const Numbers& numbers) {
  double scale = 1e-12;
  for (auto number : numbers) {
    const double size = std::abs(static_cast<double>(number));
    if (std::isfinite(size)) scale = std::max(scale, size);
  }
  return scale;
}

inline bool IsWithin(double error, double tolerance) { return std::isfinite(error) && error <= tolerance; }

// The numbers are finite, as many as expected, at least one, and none is off by more than `tolerance`.
template <typename Got, typename Expected>
testing::AssertionResult AllNear(const Got& got, const Expected& expected, double tolerance) {
  if (got.size() != expected.size())
    return testing::AssertionFailure() << got.size() << " numbers where " << expected.size() << " are expected";
  if (got.size() == 0) return testing::AssertionFailure() << "there is nothing to compare";
  const std::vector<double> errors = AbsoluteErrors(got, expected);
  const size_t worst = static_cast<size_t>(std::max_element(errors.begin(), errors.end()) - errors.begin());
  if (IsWithin(errors[worst], tolerance)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "number " << worst << " of " << got.size() << " is " << got[worst]
                                     << ", expected is " << expected[worst] << ", off by " << errors[worst] << " where "
                                     << tolerance << " is allowed";
}

// The same, with a tolerance relative to the largest number that is expected.
template <typename Got, typename Expected>
testing::AssertionResult AllClose(const Got& got, const Expected& expected, double tolerance) {
  return AllNear(got, expected, tolerance * ScaleOf(expected));
}

// The share of numbers that are off by more than `tolerance`, relative to the largest that is expected. All of them
// where lengths differ or there are none.
template <typename Got, typename Expected>
double ShareOff(const Got& got, const Expected& expected, double tolerance) {
  if (got.size() != expected.size() || got.size() == 0) return 1;
  const double allowed = tolerance * ScaleOf(expected);
  const std::vector<double> errors = AbsoluteErrors(got, expected);
  const auto off = std::count_if(errors.begin(), errors.end(), [&](double error) { return !IsWithin(error, allowed); });
  return static_cast<double>(off) / static_cast<double>(errors.size());
}

}  // namespace ridgeline
