// SPDX-License-Identifier: Apache-2.0
#include "method/learned_levels.h"

#include <cmath>

#include "fmt/format.h"
#include "method/estimator_traits.h"

namespace ridgeline {
namespace {

LearnedLevels UniformLevels(int bits) {
  const double half = std::exp2(bits - 1);
  return {.kind = LevelKind::kUniform, .lowest = -half, .highest = half - 1, .gradient_q = half - 1};
}

LearnedLevels SignLevels() {
  return {.kind = LevelKind::kSign, .lowest = -1, .highest = 1, .start = ScaleStart::kMeanAbs};
}

LearnedLevels StretchedLevels(double n, double shift) {
  return {.kind = LevelKind::kStretched, .lowest = -1, .highest = 1, .n = n, .shift = shift};
}

}  // namespace

LearnedLevels LsqLevels(Format format) {
  if (format == Format::kInt1) return SignLevels();
  LearnedLevels levels{.kind = LevelKind::kUniform, .lowest = -1, .highest = 1};
  if (format != Format::kTernary) levels = UniformLevels(IntegerBits(format));
  levels.start = ScaleStart::kTwiceMeanAbs;
  return levels;
}

LearnedLevels ParetoqLevels(Format format) {
  if (format == Format::kInt1) return SignLevels();
  if (format == Format::kTernary) return StretchedLevels(1.5, 0);
  if (format == Format::kInt2) return StretchedLevels(2, 0.5);
  LearnedLevels levels = UniformLevels(IntegerBits(format));
  levels.outermost = levels.highest;
  return levels;
}

LearnedLevels PostLevels(Format format) {
  const double powers = std::exp2(IntegerBits(format) - 1) - 1;
  return {.kind = LevelKind::kPowersOfRootTwo, .lowest = -powers, .highest = powers};
}

absl::StatusOr<LearnedLevels> LearnedLevelsOf(const QuantizerSpec& spec) {
  const EstimatorTraits* traits = FindEstimatorTraits(spec.estimator);
  if (traits == nullptr || !traits->learns_scale())
    return absl::InvalidArgumentError(
        fmt::format("estimator {} learns no scale: use {}", spec.estimator,
                    EstimatorNames([](const EstimatorTraits& row) { return row.learns_scale(); })));
  if (!traits->accepts(spec.format))
    return absl::InvalidArgumentError(
        fmt::format("estimator {} has no format {}: use {}", spec.estimator, FormatName(spec.format), traits->formats));
  return traits->learned_levels(spec.format);
}

}  // namespace ridgeline
