// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/estimator.h"

#include <string>
#include <vector>

#include "fmt/format.h"

namespace ridgeline {

// Those of the files in this folder, one for each row of the table.
const KernelTable& PruningKernelTable();
#define RIDGELINE_ESTIMATOR(Name, ...) const KernelTable& Name##KernelTable();
#define RIDGELINE_LEARNED_ESTIMATOR(...)
#include "method/estimator_rows.inc"
#undef RIDGELINE_ESTIMATOR
#undef RIDGELINE_LEARNED_ESTIMATOR

namespace {

// In the table's order. A learned scale has kernels of another shape.
constexpr Estimator::Kernels kKernels[] = {
#define RIDGELINE_ESTIMATOR(Name, ...) &Name##KernelTable,
#define RIDGELINE_LEARNED_ESTIMATOR(...) nullptr,
#include "method/estimator_rows.inc"
#undef RIDGELINE_ESTIMATOR
#undef RIDGELINE_LEARNED_ESTIMATOR
};

std::vector<Estimator> MakeEstimators() {
  std::vector<Estimator> estimators;
  for (const EstimatorTraits& traits : EveryEstimator())
    estimators.emplace_back(&traits, kKernels[&traits - EveryEstimator().data()]);
  return estimators;
}

}  // namespace

void Estimator::Encode(const QuantizerSpec& spec, const float* x, int64_t rows, int64_t features, float* levels,
                       BlockStatistics* statistics) const {
  ResolvedSpec resolved = Resolve(spec, traits_);
  resolved.encodes = resolved.stays_rotated = resolved.hard_rounding = true;
  std::get<MatrixKernels<float, float>>(kernels_())
      .forward(resolved, x, rows, features, levels, reinterpret_cast<uint8_t*>(statistics));
}

const Estimator& PruningEstimator() {
  static constexpr Estimator estimator(nullptr, &PruningKernelTable);
  return estimator;
}

absl::StatusOr<const Estimator*> FindEstimator(std::string_view name) {
  static const std::vector<Estimator>& estimators = *new std::vector<Estimator>(MakeEstimators());
  const EstimatorTraits* traits = FindEstimatorTraits(name);
  if (traits != nullptr && !traits->learns_scale()) return &estimators[traits - EveryEstimator().data()];
  if (traits != nullptr)
    return absl::InvalidArgumentError(
        fmt::format("estimator {} needs its scale beside the numbers: use FakeQuantizeLearned", name));
  return absl::InvalidArgumentError(
      fmt::format("unknown estimator '{}': use none, {}", name,
                  EstimatorNames([](const EstimatorTraits& row) { return !row.learns_scale(); })));
}

absl::StatusOr<const Estimator*> EstimatorFor(const QuantizerSpec& spec) {
  if (!spec.quantizes()) return &PruningEstimator();
  return FindEstimator(spec.estimator);
}

}  // namespace ridgeline
