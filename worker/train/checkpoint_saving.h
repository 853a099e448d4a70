// SPDX-License-Identifier: Apache-2.0
// A checkpoint while it is written: all ranks write files of their own from copies, then rank 0 commits it, both while
// training goes on. Ranks learn of each other's ends by numbers that travel with the steps' sums.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "ridgeline/v1/job.pb.h"
#include "worker/checkpoint/background_work.h"
#include "worker/checkpoint/store/manifest.h"
#include "worker/parallel/strategy.h"
#include "worker/train/attempt_context.h"

namespace ridgeline {

// Ranks whose part of what is going on has ended, and those of them for which it has failed.
struct SavingCount {
  float ended = 0, failed = 0;
};

// Owned by the attempt, called by its thread, the one that may use the communicator. Every rank is at the same point of
// the same checkpoint. Destroyed, it gives up what is going on.
class CheckpointSaving {
 public:
  // Checkpoints are folders in `root`. The context must outlive it.
  CheckpointSaving(AttemptContext* context, std::string root);
  ~CheckpointSaving();
  CheckpointSaving(const CheckpointSaving&) = delete;
  CheckpointSaving& operator=(const CheckpointSaving&) = delete;

  // Called by every rank. Copies this rank's part, and starts to write it; a copy that fails counts as a failed write.
  // `header` is all that the manifest says beside files and tensors. REQUIRES: none is under way.
  void Start(CheckpointManifest header, const Strategy& strategy);

  // This rank's, which the ranks add up when they meet.
  SavingCount Count() const;
  // Then called by every rank with the sums: goes on where all ranks have ended, and tells rank 0's observer of a
  // checkpoint that stands. Errors are all ranks': RESOURCE_EXHAUSTED when a disk is full. Nothing is left of it then.
  absl::Status Proceed(const SavingCount& all);
  // Called by every rank: waits until the checkpoint that is under way stands.
  absl::Status Finish();
  // Called by every rank: nothing is left of what is under way, unless it stands already.
  absl::Status GiveUp();

 private:
  enum class Stage { kIdle, kFiles, kCommit };
  struct Committed {
    v1::Checkpoint checkpoint;
    absl::Status removed;  // Of older ones.
  };

  absl::Status Advance(bool all_are_well);
  absl::Status StartCommit();
  absl::StatusOr<Committed> Commit(const std::vector<std::string>& parts) const;
  absl::Status Agree(const absl::Status& mine);
  void Tell(const Committed& committed);
  void Clear();

  AttemptContext& context_;
  const std::string root_;
  Stage stage_ = Stage::kIdle;
  int64_t step_ = 0;  // Of the one that is under way.
  std::unique_ptr<BackgroundWork<CheckpointManifest>> files_;
  std::unique_ptr<BackgroundWork<Committed>> commit_;  // On rank 0.
};

}  // namespace ridgeline
