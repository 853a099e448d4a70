// SPDX-License-Identifier: Apache-2.0
// The thread that acts on what the scheduler decides: after each change, and every tick for the leases.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/rpc/metrics.h"
#include "coordinator/rpc/worker_gateway.h"
#include "coordinator/state/journal.h"

namespace ridgeline {

class SchedulerLoop {
 public:
  static constexpr int64_t kTickMs = 200;

  // Starts the thread; all four must outlive it.
  SchedulerLoop(Journal* journal, WorkerGateway* gateway, CoordinatorMetrics* metrics, const Clock* clock);
  ~SchedulerLoop();  // Stops it.

  // Why a queued job waits, as of the last pass; empty if it does not. Thread-safe.
  std::string WaitReason(const std::string& job_id) const;

 private:
  void Run();
  void RunOnce();

  Journal* const journal_;
  WorkerGateway* const gateway_;
  CoordinatorMetrics* const metrics_;
  const Clock* const clock_;
  mutable absl::Mutex mutex_;
  std::map<std::string, std::string> wait_reasons_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace ridgeline
