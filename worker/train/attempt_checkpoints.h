// SPDX-License-Identifier: Apache-2.0
// The checkpoints of an attempt: which one it resumes from, and when it writes one.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "method/quantizer_spec.h"
#include "worker/checkpoint/store/manifest.h"
#include "worker/parallel/strategy.h"
#include "worker/train/attempt_context.h"
#include "worker/train/checkpoint_saving.h"
#include "worker/train/nonfinite.h"

namespace ridgeline {

// How far a run has come.
struct Progress {
  int64_t step = 0;  // Optimizer steps that are done.
  SkippedSteps skipped;
};

// Owned by the attempt, called by its thread. The context must outlive it.
class AttemptCheckpoints {
 public:
  explicit AttemptCheckpoints(AttemptContext* context);

  // Called by every rank; all get the same folder, empty to start from step 0. One rank looks and tells the others: on
  // shared storage two may see different folders at the same moment. NOT_FOUND if the assignment resumes and nothing
  // usable is there.
  absl::StatusOr<std::string> Choose();
  // Restores `strategy` from that folder, on this rank; nothing happens without one. `pattern` is the recipe's.
  // DATA_LOSS for a checkpoint that is damaged or does not fit.
  absl::StatusOr<Progress> Resume(const std::string& folder, const SparsityPattern& pattern, Strategy* strategy);
  // The held-out loss at that step, which its checkpoint remembers.
  void Validated(int64_t step, double loss);
  bool was_validated_at(int64_t step) const { return validated_step_ == step; }
  // Called by every rank. Begins a checkpoint if the recipe's interval is up, or with `force`, and none was at this
  // step; with `force` it stands when this returns. One that is being written is waited for before the next begins.
  // RESOURCE_EXHAUSTED when the disk is full.
  absl::Status WriteIfDue(const Progress& progress, bool force, const Strategy& strategy);
  // The one that is being written while training goes on.
  CheckpointSaving& saving() { return saving_; }

 private:
  absl::StatusOr<std::string> ChooseOnRoot();
  absl::Status TellResumed(const std::string& folder, int64_t step);
  CheckpointManifest HeaderAt(const Progress& progress) const;

  AttemptContext& context_;
  const std::string root_;
  const std::string recipe_hash_;
  CheckpointSaving saving_;
  int64_t last_step_ = -1;  // Of the newest that there is, or is being written.
  int64_t validated_step_ = -1;
  double validation_loss_ = 0;  // Of that step.
};

}  // namespace ridgeline
