// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/controller.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "coordinator/control/remaining_time.h"

namespace ridgeline {
namespace {

constexpr int64_t kEstimateEveryMs = 10'000;
constexpr int64_t kRestsPerPass = 4;  // So that planning takes at most a fifth of a core.

}  // namespace

v1::WaitReason Controller::WaitReasonOf(const std::string& job_id) const {
  std::shared_ptr<const WaitBoard> board;
  {
    absl::MutexLock lock(&mutex_);
    board = board_;
  }
  if (board == nullptr) return v1::WaitReason();
  const int64_t now_unix_ms = clock_->WallUnixMs();
  return journal_->Read([&](const CoordinatorState& state) { return WhyWaits(*board, state, job_id, now_unix_ms); });
}

void Controller::RunOnce() {
  reconciler_.Reconcile();
  judge_.Judge();
  Schedule();
}

// Whether the answer may be another one than last time.
bool Controller::IsDue(const std::vector<SchedulableGroup>& groups, int64_t now_unix_ms) const {
  if (clock_->MonotonicMs() < rest_until_ms_) return false;
  const int64_t sequence = journal_->Read([](const CoordinatorState& state) { return state.sequence(); });
  return sequence != sequence_ || groups != view_.groups || now_unix_ms < decided_unix_ms_ ||
         (next_due_unix_ms_ > 0 && now_unix_ms >= next_due_unix_ms_);
}

void Controller::Schedule() {
  std::vector<SchedulableGroup> groups = fleet_->SchedulableGroups();
  const int64_t now_unix_ms = clock_->WallUnixMs();
  if (!IsDue(groups, now_unix_ms)) return;
  view_.groups = std::move(groups);
  EstimateRemaining();
  const auto start = std::chrono::steady_clock::now();
  const int64_t start_ms = clock_->MonotonicMs();
  const Decision decision = journal_->Read([&](const CoordinatorState& state) {
    sequence_ = state.sequence();
    return Decide(state, view_, memory_, now_unix_ms);
  });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (on_cycle_) on_cycle_(took.count());
  decided_unix_ms_ = now_unix_ms;
  next_due_unix_ms_ = decision.next_due_unix_ms;
  memory_ = decision.memory;
  const int64_t end_ms = clock_->MonotonicMs();
  rest_until_ms_ = end_ms + kRestsPerPass * (end_ms - start_ms);
  {
    absl::MutexLock lock(&mutex_);
    board_ = decision.board;
  }
  CarryOut(decision);
}

// For those that run, by their newest metrics, where somebody waits.
void Controller::EstimateRemaining() {
  const int64_t now_ms = clock_->MonotonicMs();
  if (estimated_ms_ > 0 && now_ms - estimated_ms_ < kEstimateEveryMs) return;
  struct Trained {
    std::string job_id;
    int64_t epoch = 0;
    v1::Training training;
  };
  const auto trained = journal_->Read([](const CoordinatorState& state) {
    std::vector<Trained> running;
    const std::vector<const v1::Job*> jobs = state.RunningJobs();
    if (state.ActiveJobs().size() == jobs.size()) return running;
    for (const v1::Job* job : jobs)
      running.push_back({job->id(), LiveAttempt(*job)->epoch(), state.RecipeOf(*job, {"training"}).training()});
    return running;
  });
  view_.remaining_seconds.clear();
  for (const Trained& job : trained) {
    const absl::StatusOr<LatestMetrics> latest = store_->Latest(job.job_id);
    if (!latest.ok() || latest->epoch != job.epoch) continue;
    const double seconds = RemainingSeconds(job.training, latest->point);
    if (seconds > 0) view_.remaining_seconds[job.job_id] = seconds;
  }
  estimated_ms_ = std::max<int64_t>(1, now_ms);
}

void Controller::CarryOut(const Decision& decision) {
  for (const Assignment& assignment : decision.starts) {
    const absl::Status status = reconciler_.StartAttempt(assignment);
    if (!status.ok()) {
      sequence_ = -1;
      spdlog::warn("{} was not started on group '{}': {}", assignment.job_id, assignment.group_id,
                   std::string(status.message()));
    }
  }
  for (const Preemption& preemption : decision.preemptions) {
    const absl::Status status = reconciler_.AskToEnd(preemption);
    spdlog::info("attempt {} of {} is asked to end: {}{}", preemption.epoch, preemption.job_id, preemption.reason,
                 status.ok() ? "" : " (not recorded: " + std::string(status.message()) + ")");
  }
  if (!decision.starts.empty() || !decision.preemptions.empty()) reconciler_.Reconcile();
}

}  // namespace ridgeline
