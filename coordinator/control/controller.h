// SPDX-License-Identifier: Apache-2.0
// One pass of what the coordinator decides: reconciles, schedules, and starts what was scheduled.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "coordinator/control/reconcile.h"
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
        fleet_(fleet),
        clock_(clock),
        on_cycle_(std::move(on_cycle)),
        reconciler_(journal, fleet),
        judge_(journal, store) {}

  // By one thread at a time.
  void RunOnce();

  // Why a queued job waits, as of the last pass; empty if it does not. Thread-safe.
  std::string WaitReason(const std::string& job_id) const;

 private:
  Journal* const journal_;
  Fleet* const fleet_;
  const Clock* const clock_;
  const std::function<void(double)> on_cycle_;
  Reconciler reconciler_;
  TrialJudge judge_;
  mutable absl::Mutex mutex_;
  std::map<std::string, std::string> wait_reasons_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ridgeline
