// SPDX-License-Identifier: Apache-2.0
// The checkpoints of an attempt: which one it resumes from, and when it writes one.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "method/quantizer_spec.h"
#include "worker/parallel/strategy.h"
#include "worker/train/attempt_context.h"
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
  // Called by every rank. Commits a checkpoint if the recipe's interval is up, or with `force`, and none was at this
  // step; rank 0 removes old ones. RESOURCE_EXHAUSTED when the disk is full.
  absl::Status WriteIfDue(const Progress& progress, bool force, const Strategy& strategy);

 private:
  absl::StatusOr<std::string> ChooseOnRoot();
  absl::Status TellResumed(const std::string& folder, int64_t step);
  absl::Status WriteOnRoot(const Progress& progress, std::map<std::string, at::Tensor> tensors);
  std::string PathFromWorkFolder(const std::string& path) const;

  AttemptContext& context_;
  const std::string root_;
  const std::string recipe_hash_;
  int64_t last_step_ = -1;  // Of the newest that there is.
};

}  // namespace ridgeline
