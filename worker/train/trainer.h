// SPDX-License-Identifier: Apache-2.0
// One attempt at one job: every rank of a group calls RunAttempt with the same assignment.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "ridgeline/v1/job.pb.h"
#include "ridgeline/v1/worker.pb.h"
#include "worker/comm/communicator.h"

namespace ridgeline {

enum class StopRequest {
  kNone,
  kCancel,   // End now; nothing is kept beyond the checkpoints that exist.
  kPreempt,  // Commit a checkpoint, then end.
};

// Where rank 0 tells about the run. Called from the training thread; must not block.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void OnMetrics(const v1::MetricPoint& point) = 0;
  virtual void OnLog(const std::string& level, const std::string& text) = 0;
  virtual void OnCheckpoint(const v1::Checkpoint& checkpoint) = 0;
  virtual StopRequest PollStop() = 0;
};

struct RunOptions {
  std::string work_dir;             // Checkpoints go to work_dir/jobs/JOB/checkpoints.
  RunObserver* observer = nullptr;  // On rank 0 only.
};

struct RunResult {
  v1::AttemptOutcome outcome = v1::ATTEMPT_OUTCOME_UNSPECIFIED;  // COMPLETED, STOPPED or PREEMPTED.
  std::string detail;
  v1::FrontierPoint point;          // With COMPLETED.
};

// Errors are those that a retry would repeat (a bad dataset, a full disk, numbers that are no longer finite), in words
// for the person who submitted the job; except DEADLINE_EXCEEDED, after which the group is unusable.
// LibTorch's exceptions end here.
absl::StatusOr<RunResult> RunAttempt(const v1::Assign& assignment, Communicator& communicator,
                                     const RunOptions& options);

}  // namespace ridgeline
