// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/reconcile.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/status_macros.h"

namespace ridgeline {

void Reconciler::Reconcile() {
  fleet_->ForgiveStall();
  EndLostAttempts(LiveAttempts(*journal_));
  EndOverdueAttempts(LiveAttempts(*journal_));
  const std::vector<LiveAttemptView> live = LiveAttempts(*journal_);
  for (const LiveAttemptView& attempt : live) fleet_->Deliver(attempt);
  fleet_->CancelStaleAttempts(live);
  fleet_->DropExpiredGroups(live);
}

void Reconciler::EndLostAttempts(const std::vector<LiveAttemptView>& live) {
  for (const LiveAttemptView& attempt : live) {
    if (const std::optional<std::string> why = fleet_->WhyLost(attempt))
      End(attempt, v1::LOST, v1::EXIT_LOST, fmt::format("is lost: {}", *why), *why);
  }
}

// Its group is alive and does not do what it was asked to. It stays busy until it says that it is not.
void Reconciler::EndOverdueAttempts(const std::vector<LiveAttemptView>& live) {
  for (const LiveAttemptView& attempt : live) {
    const std::optional<double> seconds = fleet_->OverdueSeconds(attempt);
    if (!seconds.has_value()) continue;
    const std::string why = fmt::format("worker group '{}' was asked to end it {:.0f} s ago, and does not answer",
                                        attempt.group_id, *seconds);
    End(attempt, v1::PREEMPTED, v1::EXIT_PREEMPTED, fmt::format("is given up: {}", why), why);
  }
}

void Reconciler::End(const LiveAttemptView& attempt, v1::AttemptOutcome outcome, v1::ExitReason reason,
                     const std::string& news, const std::string& detail) {
  v1::Event event;
  event.mutable_attempt_ended()->set_job_id(attempt.key.job_id);
  event.mutable_attempt_ended()->set_epoch(attempt.key.epoch);
  event.mutable_attempt_ended()->set_outcome(outcome);
  event.mutable_attempt_ended()->set_exit_reason(reason);
  event.mutable_attempt_ended()->set_detail(detail);
  const absl::Status status = journal_->Commit(event);  // A result that came first wins; a full disk is tried again.
  spdlog::warn("attempt {} of {} {}{}", attempt.key.epoch, attempt.key.job_id, news,
               status.ok() ? "" : fmt::format(" (not recorded: {})", std::string(status.message())));
}

absl::Status Reconciler::StartAttempt(const Assignment& assignment) {
  int64_t attached_ms = 0;
  ASSIGN_OR_RETURN(v1::AttemptStarted started, fleet_->AttemptOn(assignment.group_id, &attached_ms));
  started.set_job_id(assignment.job_id);
  RETURN_IF_ERROR(journal_->Commit([&](const CoordinatorState& state) -> absl::StatusOr<std::optional<v1::Event>> {
    const v1::Job* job = state.FindById(started.job_id());
    if (job != nullptr) started.set_epoch(NextEpoch(*job));
    v1::Event event;
    *event.mutable_attempt_started() = started;
    return event;
  }));
  fleet_->NoteStarted(started, attached_ms);
  return absl::OkStatus();
}

absl::Status Reconciler::AskToEnd(const Preemption& preemption) {
  v1::Event event;
  event.mutable_preempt_requested()->set_job_id(preemption.job_id);
  event.mutable_preempt_requested()->set_epoch(preemption.epoch);
  event.mutable_preempt_requested()->set_reason(preemption.reason);
  return journal_->Commit(event);
}

}  // namespace ridgeline
