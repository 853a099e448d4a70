// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/estimator.h"

#include <array>

#include "fmt/format.h"

namespace ridgeline {

absl::StatusOr<const Estimator*> FindEstimator(std::string_view name) {
  const std::array<const Estimator*, 12> estimators = {
      &RidgeEstimator(),     &SteEstimator(),      &QuestEstimator(),   &RidgeTrustEstimator(),
      &SteClipEstimator(),   &BitnetB1Estimator(), &BitnetEstimator(),  &BitnetReloadedEstimator(),
      &BiAdapterEstimator(), &TorchaoEstimator(),  &GaussWsEstimator(), &DiffqEstimator()};
  for (const Estimator* estimator : estimators)
    if (estimator->name() == name) return estimator;
  std::string names;
  for (const Estimator* estimator : estimators)
    names += fmt::format("{}{}", names.empty() ? "" : ", ", estimator->name());
  return absl::InvalidArgumentError(fmt::format("unknown estimator '{}': use none, {}", name, names));
}

absl::StatusOr<const Estimator*> EstimatorFor(const QuantizerSpec& spec) {
  if (!spec.quantizes()) return &PruningEstimator();
  if (spec.learns_scale())
    return absl::InvalidArgumentError(
        fmt::format("estimator {} needs its scale beside the numbers: use FakeQuantizeLearned", spec.estimator));
  return FindEstimator(spec.estimator);
}

}  // namespace ridgeline
