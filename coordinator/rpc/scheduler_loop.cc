// SPDX-License-Identifier: Apache-2.0
#include "coordinator/rpc/scheduler_loop.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace ridgeline {

SchedulerLoop::SchedulerLoop(Journal* journal, WorkerGateway* gateway, CoordinatorMetrics* metrics, const Clock* clock)
    : journal_(journal), gateway_(gateway), metrics_(metrics), clock_(clock), thread_([this] { Run(); }) {}

SchedulerLoop::~SchedulerLoop() {
  stopping_ = true;
  journal_->changes().Notify();
  thread_.join();
}

std::string SchedulerLoop::WaitReason(const std::string& job_id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = wait_reasons_.find(job_id);
  return found == wait_reasons_.end() ? std::string() : found->second;
}

void SchedulerLoop::Run() {
  int64_t seen = 0;
  while (!stopping_) {
    RunOnce();
    seen = journal_->changes().Wait(seen, kTickMs);
  }
}

void SchedulerLoop::RunOnce() {
  gateway_->Reconcile();
  const auto start = std::chrono::steady_clock::now();
  const std::vector<SchedulableGroup> groups = gateway_->SchedulableGroups();
  const int64_t now_unix_ms = clock_->WallUnixMs();
  Schedule schedule =
      journal_->Read([&](const CoordinatorState& state) { return MakeSchedule(state, groups, now_unix_ms); });
  metrics_->ObserveSchedulerCycle(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  {
    absl::MutexLock lock(&mutex_);
    wait_reasons_ = std::move(schedule.wait_reasons);
  }
  for (const Assignment& assignment : schedule.assignments) {
    const absl::Status status = gateway_->StartAttempt(assignment);
    if (!status.ok()) {
      spdlog::warn("{} was not started on group '{}': {}", assignment.job_id, assignment.group_id,
                   std::string(status.message()));
    }
  }
  if (!schedule.assignments.empty()) gateway_->Reconcile();
}

}  // namespace ridgeline
