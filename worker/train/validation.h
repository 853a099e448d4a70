// SPDX-License-Identifier: Apache-2.0
// Validation of a run, during training and at its end: held-out texts scored by all ranks, and told.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/language_model.h"
#include "worker/train/attempt_context.h"
#include "worker/train/evaluate.h"
#include "worker/train/training_data.h"

namespace ridgeline {

// Held-out text of the training kind, and of a second kind where the recipe names one.
struct Validation {
  Evaluation first;
  std::optional<Evaluation> second;
};

// Called by every rank, after `step` steps; all get the same numbers, rank 0's observer hears of them, with
// `error_ratio`, that of the weights that are trained (Strategy::WeightErrorRatio). `scored` is their model, or what
// became of it. Errors are what the ranks agree on; numbers that are not finite are none.
absl::StatusOr<Validation> Validate(LanguageModel* scored, double error_ratio, const TrainingData& data, int64_t step,
                                    AttemptContext* context);

// Whether it has finite losses.
absl::Status CheckFinite(const Validation& validation, int64_t step);

}  // namespace ridgeline
