// SPDX-License-Identifier: Apache-2.0
#include "method/every_spec.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "fmt/format.h"
#include "method/problems.h"

namespace ridgeline {
namespace {

void AddIfDefined(const QuantizerSpec& spec, std::vector<QuantizerSpec>* specs) {
  if (ValidateQuantizerSpec(spec).ok()) specs->push_back(spec);
}

// With each control of the gradient, and of what is stored.
void AddControls(const EstimatorTraits& traits, const SpecAxes& axes, QuantizerSpec spec,
                 std::vector<QuantizerSpec>* specs) {
  for (FitGradient fit_gradient : axes.fit_gradients)
    for (ScalePrecision precision : axes.scale_precisions)
      for (double trust : axes.trusts) {
        spec.fit_gradient = fit_gradient;
        spec.scale_precision = precision;
        spec.trust = trust;
        if (trust == 0 || traits.has_trust_mask()) AddIfDefined(spec, specs);
      }
}

// With each way to cut, rotate and prune.
void AddLayouts(const EstimatorTraits& traits, const SpecAxes& axes, QuantizerSpec spec,
                std::vector<QuantizerSpec>* specs) {
  const std::vector<Granularity> granularities =
      traits.learns_scale() ? std::vector{Granularity::kRow, Granularity::kTensor} : axes.granularities;
  for (Granularity granularity : granularities)
    for (const Rotation& rotation : axes.rotations)
      for (SparsityPattern sparsity : axes.sparsities) {
        spec.granularity = granularity;
        spec.hadamard = rotation.hadamard;
        spec.hadamard_signs = rotation.signs;
        spec.stays_rotated = rotation.stays;
        spec.sparsity = sparsity;
        AddControls(traits, axes, spec, specs);
      }
}

std::vector<QuantizerSpec> SpecsOf(const EstimatorTraits& traits, Format format, const SpecAxes& axes) {
  std::vector<QuantizerSpec> specs;
  QuantizerSpec spec{.estimator = std::string(traits.name), .format = format};
  spec.block = OwnBlock(format) > 0 ? OwnBlock(format) : axes.block;
  for (Scheme scheme : axes.schemes)
    for (GridStatistics grid : axes.grids)
      for (GridGradient gradient : axes.grid_gradients) {
        spec.scheme = scheme;
        spec.grid = grid;
        spec.grid_gradient = gradient;
        AddLayouts(traits, axes, spec, &specs);
      }
  return specs;
}

}  // namespace

std::vector<QuantizerSpec> EverySpec(const SpecAxes& axes) {
  std::vector<QuantizerSpec> specs;
  for (const EstimatorTraits& traits : EveryEstimator()) {
    if (!axes.estimators(traits)) continue;
    for (Format format : axes.formats) {
      if (!traits.accepts(format)) continue;
      const std::vector<QuantizerSpec> more = SpecsOf(traits, format, axes);
      if (more.empty()) {
        fmt::print(stderr, "EverySpec: {} {} is in no combination of the axes\n", traits.name, FormatName(format));
        std::abort();
      }
      specs.insert(specs.end(), more.begin(), more.end());
    }
  }
  return specs;
}

std::vector<Format> FormatsWhere(bool (*includes)(Format), size_t least) {
  std::vector<Format> formats;
  for (Format format : EveryFormat())
    if (includes(format)) formats.push_back(format);
  if (formats.size() >= least) return formats;
  fmt::print(stderr, "FormatsWhere: {} formats of what should be {} or more\n", formats.size(), least);
  std::abort();
}

std::string DescribeSpec(const QuantizerSpec& spec) {
  std::string text = fmt::format("{} {} {} {}", spec.estimator, FormatName(spec.format), SchemeName(spec.scheme),
                                 GridStatisticsName(spec.grid));
  if (spec.grid_gradient == GridGradient::kGraph) text += " graph";
  if (spec.granularity != Granularity::kBlock) text += fmt::format(" {}", GranularityName(spec.granularity));
  if (spec.hadamard) text += " hadamard";
  if (spec.hadamard_signs) text += " signs";
  if (spec.stays_rotated) text += " stays";
  if (spec.sparsity.is_sparse()) text += fmt::format(" {}:{}", spec.sparsity.n, spec.sparsity.m);
  if (spec.fit_gradient != FitGradient::kOwn) text += fmt::format(" fit {}", FitGradientName(spec.fit_gradient));
  if (spec.scale_precision == ScalePrecision::kFloat16) text += " stored";
  if (spec.scale_precision == ScalePrecision::kInt8) text += " int8 scales";
  if (spec.trust > 0) text += fmt::format(" trust {}", spec.trust);
  if (spec.hard_rounding) text += " hard";
  return text + fmt::format(" block {}", spec.block);
}

std::string TestNameOf(const QuantizerSpec& spec) {
  std::string name = DescribeSpec(spec);
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

}  // namespace ridgeline
