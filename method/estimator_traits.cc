// SPDX-License-Identifier: Apache-2.0
#include "method/estimator_traits.h"

#include <vector>

namespace ridgeline {
namespace {

// What rows accept beside the sets of method/format.h.
constexpr bool IsAnyFormat(Format) { return true; }
constexpr bool IsInt1(Format format) { return format == Format::kInt1; }
constexpr bool IsInt1OrInt8(Format format) { return format == Format::kInt1 || format == Format::kInt8; }
constexpr bool IsTernaryOrInt8(Format format) { return format == Format::kTernary || format == Format::kInt8; }
constexpr bool IsIntegerAboveOneBit(Format format) { return IsInteger(format) && format != Format::kInt1; }
constexpr bool IsIntegerUpToInt4OrTernary(Format format) {
  return IsIntegerOrTernary(format) && IntegerBits(format) <= 4;
}

#define RIDGELINE_ESTIMATOR(Name, ...) EstimatorTraits{__VA_ARGS__},
#define RIDGELINE_LEARNED_ESTIMATOR(...) EstimatorTraits{__VA_ARGS__},
constexpr EstimatorTraits kEstimators[] = {
#include "method/estimator_rows.inc"
};
#undef RIDGELINE_ESTIMATOR
#undef RIDGELINE_LEARNED_ESTIMATOR

}  // namespace

std::string_view SideName(Side side) { return side == Side::kWeight ? "weight" : "activation"; }

std::span<const EstimatorTraits> EveryEstimator() { return kEstimators; }

const EstimatorTraits* FindEstimatorTraits(std::string_view name) {
  for (const EstimatorTraits& traits : kEstimators)
    if (traits.name == name) return &traits;
  return nullptr;
}

std::string EstimatorNames(bool (*includes)(const EstimatorTraits&)) {
  std::vector<std::string_view> names;
  for (const EstimatorTraits& traits : kEstimators)
    if (includes(traits)) names.push_back(traits.name);
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

}  // namespace ridgeline
