// SPDX-License-Identifier: Apache-2.0
// The end of an attempt that has trained all of its steps: its model is exported, scored as the file has it, measured,
// and becomes a frontier point.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "model/language_model.h"
#include "ridgeline/v1/frontier.pb.h"
#include "ridgeline/v1/job.pb.h"
#include "worker/parallel/strategy.h"
#include "worker/train/attempt_context.h"
#include "worker/train/training_data.h"

namespace ridgeline {

// Where recipe.export wants them. Artifacts on rank 0 alone.
struct Results {
  std::optional<v1::FrontierPoint> point;
  std::vector<v1::Artifact> artifacts;
};

// Called by every rank, with the model that `steps` steps have trained, and its strategy, which ends here: the memory
// is what a packed artifact is opened in. Weights may be rounded to what a file holds. What is said of a packed
// artifact is measured on the file, which every rank opens. On errors, which the ranks agree on, no artifact is left:
// NONFINITE where a held-out text has no finite loss.
absl::StatusOr<Results> LeaveResults(LanguageModel* model, std::unique_ptr<Strategy> strategy, const TrainingData& data,
                                     int64_t steps, AttemptContext* context);

}  // namespace ridgeline
