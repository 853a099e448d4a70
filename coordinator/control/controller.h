// SPDX-License-Identifier: Apache-2.0
// One pass of what the coordinator decides: reconciles, schedules where anything changed, starts what was scheduled and
// asks those to end who make room.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "coordinator/control/reconcile.h"
#include "coordinator/control/scheduler.h"
#include "coordinator/control/trial_judge.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/state/journal.h"

namespace ridgeline {

// What it is made of must outlive it.
class Controller {
 public:
  // `on_cycle` is told how many seconds each scheduling took; may be null.
  Controller(Journal* journal, MetricStore* store, Fleet* fleet, const Clock* clock,
             std::function<void(double)> on_cycle)
      : journal_(journal),
        store_(store),
        fleet_(fleet),
        clock_(clock),
        on_cycle_(std::move(on_cycle)),
        reconciler_(journal, fleet),
        judge_(journal, store) {}

  // By one thread at a time.
  void RunOnce();

  // Why a queued job waits, as of the last time that jobs were scheduled; without text if it does not. Thread-safe.
  v1::WaitReason WaitReasonOf(const std::string& job_id) const;

 private:
  void Schedule();
  bool IsDue(const std::vector<SchedulableGroup>& groups, int64_t now_unix_ms) const;
  void EstimateRemaining();
  void CarryOut(const Decision& decision);

  Journal* const journal_;
  MetricStore* const store_;
  Fleet* const fleet_;
  const Clock* const clock_;
  const std::function<void(double)> on_cycle_;
  Reconciler reconciler_;
  TrialJudge judge_;

  // Of the thread that calls RunOnce: what was scheduled last, and upon what.
  FleetView view_;
  SchedulerMemory memory_;
  int64_t sequence_ = -1;         // Of the state; -1: never.
  int64_t decided_unix_ms_ = 0;   // Wall clock.
  int64_t next_due_unix_ms_ = 0;  // 0: when something changes.
  int64_t rest_until_ms_ = 0;     // Monotonic. A slow pass is followed by a rest, however much changes.
  int64_t estimated_ms_ = 0;      // Monotonic; when remaining times were estimated. 0: never.

  mutable absl::Mutex mutex_;
  std::shared_ptr<const WaitBoard> board_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ridgeline
