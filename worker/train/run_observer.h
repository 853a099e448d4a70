// SPDX-License-Identifier: Apache-2.0
// Whom rank 0 tells about a run, and who may ask it to end.
#pragma once

#include <string>

#include "ridgeline/v1/worker.pb.h"

namespace ridgeline {

enum class StopRequest {
  kNone,
  kCancel,   // End now; nothing is kept beyond the checkpoints that exist.
  kPreempt,  // Commit a checkpoint, then end.
};

// Where rank 0 tells about the run. Called from the training thread; must not block. Lines of other ranks come with
// their number, whenever the ranks meet.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void OnMetrics(const v1::MetricPoint& point) = 0;
  virtual void OnLog(const v1::LogLine& line) = 0;
  virtual void OnCheckpoint(const v1::Checkpoint& checkpoint) = 0;
  virtual void OnResumed(const v1::Checkpoint& checkpoint) = 0;  // The run starts from it.
  virtual void OnOthersMemory(int64_t bytes) = 0;                // Held by all ranks but this one.
  virtual StopRequest PollStop() = 0;
};

}  // namespace ridgeline
