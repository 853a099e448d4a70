// SPDX-License-Identifier: Apache-2.0
#include "method/quantizer_spec.h"

#include <array>

#include "fmt/format.h"
#include "method/estimator_traits.h"

namespace ridgeline {
namespace {

// An enum's names, in the order of its values.
constexpr std::array<std::string_view, 2> kSchemes = {"linear", "affine"};
constexpr std::array<std::string_view, 2> kGrids = {"minmax", "gaussian"};
constexpr std::array<std::string_view, 2> kGridGradients = {"detached", "graph"};
constexpr std::array<std::string_view, 3> kFitGradients = {"own", "graph", "detached"};
constexpr std::array<std::string_view, 3> kGranularities = {"block", "row", "tensor"};

template <typename Enum, size_t kCount>
absl::StatusOr<Enum> Parse(const std::array<std::string_view, kCount>& names, std::string_view kind,
                           std::string_view name) {
  std::string choices;
  for (size_t i = 0; i < kCount; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
    choices += fmt::format("{}{}", i == 0 ? "" : i + 1 == kCount ? " or " : ", ", names[i]);
  }
  return absl::InvalidArgumentError(fmt::format("unknown {} '{}': use {}", kind, name, choices));
}

}  // namespace

bool QuantizerSpec::adds_noise() const {
  const EstimatorTraits* traits = FindEstimatorTraits(estimator);
  return traits != nullptr && traits->adds_noise;
}

bool QuantizerSpec::learns_scale() const {
  const EstimatorTraits* traits = quantizes() ? FindEstimatorTraits(estimator) : nullptr;
  return traits != nullptr && traits->learns_scale();
}

absl::StatusOr<Scheme> ParseScheme(std::string_view name) { return Parse<Scheme>(kSchemes, "scheme", name); }
absl::StatusOr<Granularity> ParseGranularity(std::string_view name) {
  return Parse<Granularity>(kGranularities, "granularity", name);
}
absl::StatusOr<GridGradient> ParseGridGradient(std::string_view name) {
  return Parse<GridGradient>(kGridGradients, "grid_gradient", name);
}
absl::StatusOr<FitGradient> ParseFitGradient(std::string_view name) {
  return Parse<FitGradient>(kFitGradients, "fit_gradient", name);
}
absl::StatusOr<GridStatistics> ParseGridStatistics(std::string_view name) {
  return Parse<GridStatistics>(kGrids, "grid", name);
}

absl::StatusOr<ScalePrecision> ParseStoredScales(std::string_view name) {
  if (name == "float16") return ScalePrecision::kFloat16;
  if (name == "int8") return ScalePrecision::kInt8;
  return absl::InvalidArgumentError(fmt::format("unknown weight_scales '{}': use float16 or int8", name));
}

std::string_view SchemeName(Scheme scheme) { return kSchemes[static_cast<size_t>(scheme)]; }
std::string_view GridStatisticsName(GridStatistics grid) { return kGrids[static_cast<size_t>(grid)]; }
std::string_view GridGradientName(GridGradient gradient) { return kGridGradients[static_cast<size_t>(gradient)]; }
std::string_view FitGradientName(FitGradient gradient) { return kFitGradients[static_cast<size_t>(gradient)]; }
std::string_view GranularityName(Granularity granularity) { return kGranularities[static_cast<size_t>(granularity)]; }

}  // namespace ridgeline
