// SPDX-License-Identifier: Apache-2.0
// One attempt at one job: every rank of a group calls RunAttempt with the same assignment.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "comm/communicator.h"
#include "device/placement.h"
#include "ridgeline/v1/job.pb.h"
#include "ridgeline/v1/worker.pb.h"
#include "worker/train/rank_groups.h"
#include "worker/train/run_observer.h"

namespace ridgeline {

struct RunOptions {
  std::string work_dir;             // Checkpoints go to work_dir/jobs/JOB/checkpoints, artifacts beside them.
  RunObserver* observer = nullptr;  // On rank 0 only.
  // Of this communicator, kept from job to job, on all ranks or on none; null to make new ones.
  RankGroupsOfJobs* groups = nullptr;
  RankDevice device;  // What this rank computes on.
  // How long collectives of a step may take, in which all ranks do alike, unless the recipe has its own; in all others,
  // where ranks may wait for one that works alone, it is the communicator's. 0: the same.
  int64_t step_timeout_ms = 0;
};

struct RunResult {
  v1::AttemptOutcome outcome = v1::ATTEMPT_OUTCOME_UNSPECIFIED;  // COMPLETED, REACHED, STOPPED or PREEMPTED.
  std::string detail;
  // With COMPLETED, where recipe.export wants them.
  std::optional<v1::FrontierPoint> point;
  std::vector<v1::Artifact> artifacts;
};

// To the last step, or to the assignment's stop_at_step if that comes before: there the held-out texts are scored, a
// checkpoint stands, and a later assignment goes on from it to the numbers of a run that did not stop (REACHED).
// Errors are those that a retry would repeat (a bad dataset, a full disk, numbers that are no longer finite, which
// begin with NONFINITE), in words for the person who submitted the job; except DEADLINE_EXCEEDED, after which the group
// is unusable. Their codes are those that worker/exit_reason.h reads. LibTorch's exceptions end here.
absl::StatusOr<RunResult> RunAttempt(const v1::Assign& assignment, Communicator& communicator,
                                     const RunOptions& options);

}  // namespace ridgeline
