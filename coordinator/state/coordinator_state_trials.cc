// SPDX-License-Identifier: Apache-2.0
// Trials of a sweep that stops most of them early: they wait at a rung until it is decided whether they go on.
#include <fmt/format.h>

#include "coordinator/state/coordinator_state.h"

namespace ridgeline {

bool WaitsAtRung(const v1::Job& job) {
  return job.state() == v1::PAUSED && !job.paused() && job.stop_at_step() > 0 && !job.cancel_requested();
}

bool WasStoppedEarly(const v1::Job& job) { return job.state() == v1::CANCELLED && !job.cancel_requested(); }

std::vector<const v1::Job*> CoordinatorState::TrialsAtRungs() const {
  std::vector<const v1::Job*> trials;
  for (const int64_t number : paused_) {
    const v1::Job& job = jobs_.at(number);
    if (WaitsAtRung(job)) trials.push_back(&job);
  }
  return trials;
}

absl::Status CoordinatorState::CheckTrials(const v1::TrialsDecided& decided) const {
  for (const v1::TrialsDecided::Decision& decision : decided.decisions()) {
    const v1::Job* job = FindById(decision.job_id());
    if (job == nullptr) return absl::NotFoundError(fmt::format("there is no job '{}'", decision.job_id()));
    if (!WaitsAtRung(*job)) {
      return absl::FailedPreconditionError(
          fmt::format("{} is {} and waits at no rung", job->id(), v1::JobState_Name(job->state())));
    }
    if (decision.stop_at_step() != 0 && decision.stop_at_step() <= job->stop_at_step()) {
      return absl::InvalidArgumentError(fmt::format("{} cannot go on from step {} to step {}", job->id(),
                                                    job->stop_at_step(), decision.stop_at_step()));
    }
  }
  return absl::OkStatus();
}

void CoordinatorState::ApplyTrials(const v1::TrialsDecided& decided, Change& change) {
  for (const v1::TrialsDecided::Decision& decision : decided.decisions()) {
    v1::Job& job = *MutableJob(decision.job_id());
    if (decision.stop_at_step() == 0) {
      SetState(job, v1::CANCELLED, decision.reason(), change);
      continue;
    }
    const int64_t steps = RecipeOf(job, {"training"}).training().steps();
    job.set_stop_at_step(decision.stop_at_step() < steps ? decision.stop_at_step() : 0);
    job.set_rung(job.rung() + 1);
    SetState(job, v1::QUEUED, decision.reason(), change);
  }
}

}  // namespace ridgeline
