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

// Where rank 0 tells about the run. Called from the training thread; must not block.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void OnMetrics(const v1::MetricPoint& point) = 0;
  virtual void OnLog(const std::string& level, const std::string& text) = 0;
  virtual void OnCheckpoint(const v1::Checkpoint& checkpoint) = 0;
  virtual StopRequest PollStop() = 0;
};

}  // namespace ridgeline
