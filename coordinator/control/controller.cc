// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/controller.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace ridgeline {

std::string Controller::WaitReason(const std::string& job_id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = wait_reasons_.find(job_id);
  return found == wait_reasons_.end() ? std::string() : found->second;
}

void Controller::RunOnce() {
  reconciler_.Reconcile();
  judge_.Judge();
  const auto start = std::chrono::steady_clock::now();
  const std::vector<SchedulableGroup> groups = fleet_->SchedulableGroups();
  const int64_t now_unix_ms = clock_->WallUnixMs();
  Schedule schedule =
      journal_->Read([&](const CoordinatorState& state) { return MakeSchedule(state, groups, now_unix_ms); });
  if (on_cycle_) on_cycle_(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  {
    absl::MutexLock lock(&mutex_);
    wait_reasons_ = std::move(schedule.wait_reasons);
  }
  for (const Assignment& assignment : schedule.assignments) {
    const absl::Status status = reconciler_.StartAttempt(assignment);
    if (!status.ok()) {
      spdlog::warn("{} was not started on group '{}': {}", assignment.job_id, assignment.group_id,
                   std::string(status.message()));
    }
  }
  if (!schedule.assignments.empty()) reconciler_.Reconcile();
}

}  // namespace ridgeline
