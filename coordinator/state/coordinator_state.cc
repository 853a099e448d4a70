// SPDX-License-Identifier: Apache-2.0
// How each event changes the state. What an event may do is decided in coordinator_state_read.cc.
#include "coordinator/state/coordinator_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ridgeline {

namespace {

constexpr int64_t kFirstNoRoomWaitMs = 5'000, kLongestNoRoomWaitMs = 60'000;

void ForgetNoRoom(v1::Job& job) {
  job.clear_no_room_in_a_row();
  job.clear_not_before_unix_ms();
}

std::string RunsOn(const v1::Attempt& attempt) {
  if (attempt.epoch() == 1) return fmt::format("runs on group '{}'", attempt.group_id());
  return fmt::format("runs on group '{}', attempt {} from step {}", attempt.group_id(), attempt.epoch(),
                     attempt.resumed_from_step());
}

}  // namespace

bool IsParent(const v1::Job& job) { return job.child_ids_size() > 0; }

std::string JobId(int64_t number) { return fmt::format("job-{}", number); }

const v1::Attempt* LiveAttempt(const v1::Job& job) {
  if (job.attempts().empty()) return nullptr;
  const v1::Attempt& last = *job.attempts().rbegin();
  return last.outcome() == v1::ATTEMPT_OUTCOME_UNSPECIFIED ? &last : nullptr;
}

int64_t NextEpoch(const v1::Job& job) { return job.attempts().empty() ? 1 : job.attempts().rbegin()->epoch() + 1; }

int64_t NoRoomWaitMs(const v1::Job& job, int64_t now_unix_ms) {
  const int64_t wait_ms = job.not_before_unix_ms() - now_unix_ms;
  return wait_ms > 0 && wait_ms <= kLongestNoRoomWaitMs ? wait_ms : 0;
}

std::vector<CoordinatorState::Transition> CoordinatorState::Apply(const v1::Event& event) {
  if (event.sequence() <= sequence_) return {};
  sequence_ = event.sequence();
  if (!Check(event).ok()) return {};
  Change change{event.time_unix_ms(), event.actor().name(), {}, {}};
  switch (event.kind_case()) {
    case v1::Event::kJobsSubmitted:
      ApplySubmitted(event.jobs_submitted(), change);
      break;
    case v1::Event::kAttemptStarted:
      ApplyStarted(event.attempt_started(), change);
      break;
    case v1::Event::kCheckpointRecorded:
      ApplyCheckpoint(event.checkpoint_recorded());
      break;
    case v1::Event::kAttemptEnded:
      ApplyEnded(event.attempt_ended(), change);
      break;
    case v1::Event::kCancelRequested:
      ApplyCancel(event.cancel_requested(), change);
      break;
    case v1::Event::kJobRetried:
      ApplyRetry(event.job_retried(), change);
      break;
    case v1::Event::kTrialsDecided:
      ApplyTrials(event.trials_decided(), change);
      break;
    case v1::Event::kJobChanged:
      ApplyChanged(event.job_changed(), change);
      break;
    case v1::Event::kQueueSet:
      queues_[event.queue_set().queue().name()] = event.queue_set().queue();
      break;
    case v1::Event::kGroupDrained:
      ApplyDrained(event.group_drained());
      break;
    case v1::Event::kPreemptRequested:
      ApplyPreempt(event.preempt_requested(), change);
      break;
    case v1::Event::kTokenChanged:
      ApplyToken(event.token_changed().token());
      break;
    case v1::Event::KIND_NOT_SET:
      break;
  }
  for (const std::string& parent_id : change.parents) DeriveParent(parent_id, change);
  return std::move(change.transitions);
}

void CoordinatorState::ApplySubmitted(const v1::JobsSubmitted& submitted, Change& change) {
  for (const v1::Job& submitted_job : submitted.jobs()) {
    const int64_t number = next_job_number_++;
    v1::Job& job = jobs_[number];
    job = submitted_job;
    changed_jobs_.insert(number);
    ShrinkChild(job);
    job.set_submit_unix_ms(change.time_unix_ms);
    if (!submitted.request_id().empty()) job.set_request_id(submitted.request_id());
    SetState(job, v1::QUEUED, IsParent(job) ? "its children wait" : "waits for a worker group", change);
    IndexJob(number, job);
  }
}

void CoordinatorState::ApplyStarted(const v1::AttemptStarted& started, Change& change) {
  v1::Job& job = *MutableJob(started.job_id());
  v1::Attempt& attempt = *job.add_attempts();
  attempt.set_epoch(started.epoch());
  attempt.set_group_id(started.group_id());
  attempt.set_incarnation(started.incarnation());
  attempt.set_ranks(started.ranks());
  attempt.set_start_unix_ms(std::max(change.time_unix_ms, job.submit_unix_ms()));
  attempt.set_resumed_from_step(job.last_checkpoint().step());
  if (job.start_unix_ms() == 0) job.set_start_unix_ms(attempt.start_unix_ms());
  job.clear_not_before_unix_ms();
  SetState(job, v1::RUNNING, RunsOn(attempt), change);
  job_on_group_[started.group_id()] = job.id();
}

void CoordinatorState::ApplyCheckpoint(const v1::CheckpointRecorded& recorded) {
  v1::Job& job = *MutableJob(recorded.job_id());
  *job.mutable_last_checkpoint() = recorded.checkpoint();
  if (!recorded.resumed()) {
    ForgetRestarts(job);
    return ForgetNoRoom(job);
  }
  v1::Attempt& attempt = *job.mutable_attempts()->rbegin();
  attempt.set_resumed_from_step(recorded.checkpoint().step());
  job.set_reason(RunsOn(attempt));
}

void CoordinatorState::ApplyEnded(const v1::AttemptEnded& ended, Change& change) {
  v1::Job& job = *MutableJob(ended.job_id());
  EndAttempt(job, ended, change);
  switch (ended.outcome()) {
    case v1::COMPLETED:
      if (ended.has_point()) RecordPoint(job, ended.point());
      *job.mutable_artifacts() = ended.artifacts();
      SetState(job, v1::SUCCEEDED, "trained to the end", change);
      break;
    case v1::STOPPED:
      SetState(job, v1::CANCELLED, "cancelled", change);
      break;
    case v1::LOST:
    case v1::PREEMPTED:
      EndLost(job, ended, change);
      break;
    case v1::NO_ROOM:
      EndNoRoom(job, ended, change);
      break;
    case v1::REACHED:
      EndReached(job, change);
      break;
    default:
      SetState(job, v1::FAILED, ended.detail().empty() ? "the worker reported an error" : ended.detail(), change);
  }
}

void CoordinatorState::EndAttempt(v1::Job& job, const v1::AttemptEnded& ended, const Change& change) {
  v1::Attempt& attempt = *job.mutable_attempts()->rbegin();
  attempt.set_outcome(ended.outcome());
  attempt.set_detail(ended.detail());
  attempt.set_exit_reason(ended.exit_reason());
  attempt.set_end_unix_ms(std::max(change.time_unix_ms, attempt.start_unix_ms()));
  job_on_group_.erase(attempt.group_id());
  IndexUse(QueueOf(job), attempt);
  if (ended.outcome() != v1::NO_ROOM) ForgetNoRoom(job);
}

void CoordinatorState::EndLost(v1::Job& job, const v1::AttemptEnded& ended, Change& change) {
  if (job.cancel_requested()) {
    SetState(job, v1::CANCELLED, "cancelled; its worker group did not answer", change);
    return;
  }
  if (EndAtTimeLimit(job, change)) return;
  const std::string wait = fmt::format("waits to go on from step {}", job.last_checkpoint().step());
  if (ended.outcome() == v1::PREEMPTED) {
    const std::string& why = job.attempts().rbegin()->preempt_reason();
    Requeue(job, fmt::format("{}; {}", why.empty() ? "its worker group was asked to end" : why, wait), change);
    return;
  }
  job.set_restarts(job.restarts() + 1);
  const int max_restarts = RecipeOf(job, {"recovery"}).recovery().max_restarts();
  if (job.restarts() > max_restarts) {
    SetState(job, v1::FAILED,
             fmt::format("its worker group was lost {} times, over recovery.max_restarts={}; the last time: {}. "
                         "`ridgeline retry {}` goes on from step {}",
                         job.restarts(), max_restarts, ended.detail(), job.id(), job.last_checkpoint().step()),
             change);
    return;
  }
  Requeue(job, fmt::format("its worker group was lost ({}); {}", ended.detail(), wait), change);
}

void CoordinatorState::Requeue(v1::Job& job, const std::string& reason, Change& change) {
  if (job.paused()) return Pause(job, change);
  SetState(job, v1::QUEUED, reason, change);
}

// The job is tried again by itself, later each time. Attempts in a row are kept as one, however long the disk stays
// full.
void CoordinatorState::EndNoRoom(v1::Job& job, const v1::AttemptEnded& ended, Change& change) {
  if (job.cancel_requested()) {
    SetState(job, v1::CANCELLED, "cancelled", change);
    return;
  }
  const int in_a_row = job.no_room_in_a_row() + 1;
  if (in_a_row > 1) {
    v1::Attempt& latest = *job.mutable_attempts()->rbegin();
    v1::Attempt& before = *job.mutable_attempts(job.attempts_size() - 2);
    latest.set_start_unix_ms(before.start_unix_ms());
    latest.set_end_unix_ms(std::max(latest.end_unix_ms(), latest.start_unix_ms()));  // The clock may have jumped back.
    before = latest;
    job.mutable_attempts()->RemoveLast();
  }
  int64_t wait_ms = kFirstNoRoomWaitMs;
  for (int i = 1; i < in_a_row && wait_ms < kLongestNoRoomWaitMs; ++i) wait_ms *= 2;
  job.set_no_room_in_a_row(in_a_row);
  job.set_not_before_unix_ms(change.time_unix_ms + std::min(wait_ms, kLongestNoRoomWaitMs));
  const std::string& group_id = job.attempts().rbegin()->group_id();
  Requeue(job,
          fmt::format("there is no room on the disk of worker group '{}' ({}); the job goes on from step {} by itself "
                      "when space is freed",
                      group_id, ended.detail(), job.last_checkpoint().step()),
          change);
}

void CoordinatorState::EndReached(v1::Job& job, Change& change) {
  if (job.cancel_requested()) {
    SetState(job, v1::CANCELLED, "cancelled", change);
    return;
  }
  SetState(job, v1::PAUSED,
           fmt::format("waits at rung {}, step {}, until enough trials have come as far", job.rung() + 1,
                       job.stop_at_step()),
           change);
}

void CoordinatorState::RecordPoint(v1::Job& job, const v1::FrontierPoint& point) {
  v1::FrontierPoint& recorded = points_.emplace_back(point);
  recorded.set_point_id(fmt::format("point-{}", points_.size()));
  recorded.set_job_id(job.id());
  recorded.set_name(job.name());
  recorded.clear_pareto();
  job.set_point_id(recorded.point_id());
}

void CoordinatorState::ApplyCancel(const v1::CancelRequested& cancel, Change& change) {
  v1::Job& job = *MutableJob(cancel.job_id());
  job.set_cancel_requested(true);
  if (!IsParent(job)) {
    CancelOne(job, change);
    return;
  }
  for (const std::string& child_id : job.child_ids()) CancelOne(*MutableJob(child_id), change);
}

void CoordinatorState::CancelOne(v1::Job& job, Change& change) {
  if (IsTerminal(job.state())) return;
  job.set_cancel_requested(true);
  if (job.state() == v1::QUEUED || job.state() == v1::PAUSED) {
    SetState(job, v1::CANCELLED, "cancelled while it waited", change);
  } else {
    job.set_reason("cancel requested; waits for the worker group to stop");
  }
}

void CoordinatorState::ApplyRetry(const v1::JobRetried& retried, Change& change) {
  v1::Job& job = *MutableJob(retried.job_id());
  job.set_cancel_requested(false);
  if (!IsParent(job)) {
    RetryOne(job, change);
    return;
  }
  for (const std::string& child_id : job.child_ids()) RetryOne(*MutableJob(child_id), change);
}

void CoordinatorState::RetryOne(v1::Job& job, Change& change) {
  if (job.state() != v1::FAILED && job.state() != v1::CANCELLED) return;
  if (WasStoppedEarly(job)) job.clear_stop_at_step();  // Who asks for it again wants all of it.
  job.set_cancel_requested(false);
  job.set_paused(false);
  if (v1::Job* parent = MutableJob(job.parent_id())) {
    parent->set_cancel_requested(false);
    parent->set_paused(false);
  }
  job.set_restarts(0);
  ForgetNoRoom(job);
  job.set_end_unix_ms(0);
  SetState(job, v1::QUEUED, fmt::format("retried; waits to go on from step {}", job.last_checkpoint().step()), change);
}

void CoordinatorState::SetState(v1::Job& job, v1::JobState state, const std::string& reason, Change& change) {
  job.set_reason(reason);
  if (job.state() == state) return;
  if (!job.parent_id().empty()) change.parents.insert(job.parent_id());
  change.transitions.push_back({job.id(), job.state(), state});
  job.set_state(state);
  // The wall clock may have jumped back meanwhile.
  const int64_t not_before_ms = std::max(job.submit_unix_ms(), job.start_unix_ms());
  if (IsTerminal(state)) job.set_end_unix_ms(std::max(change.time_unix_ms, not_before_ms));
  IndexState(ParseJobNumber(job.id()), job);
}

// A parent is QUEUED until a child starts and ends with its last child: FAILED before CANCELLED before SUCCEEDED. It is
// PAUSED while it was paused and no child runs.
void CoordinatorState::DeriveParent(const std::string& parent_id, Change& change) {
  v1::Job& parent = *MutableJob(parent_id);
  std::map<v1::JobState, int> count;
  int stopped_early = 0;
  bool started = false;
  int64_t first_start = 0;
  for (const std::string& child_id : parent.child_ids()) {
    const v1::Job* child = FindById(child_id);
    ++count[child->state()];
    if (WasStoppedEarly(*child)) ++stopped_early;
    if (child->start_unix_ms() > 0) {
      first_start = started ? std::min(first_start, child->start_unix_ms()) : child->start_unix_ms();
      started = true;
    }
  }
  const int total = parent.child_ids_size();
  const int ended = count[v1::SUCCEEDED] + count[v1::FAILED] + count[v1::CANCELLED];
  v1::JobState state = started ? v1::RUNNING : v1::QUEUED;
  if (parent.paused() && count[v1::RUNNING] + count[v1::QUEUED] == 0) state = v1::PAUSED;
  if (ended == total) {
    state = count[v1::FAILED] > 0 ? v1::FAILED : count[v1::CANCELLED] > stopped_early ? v1::CANCELLED : v1::SUCCEEDED;
  }
  parent.set_start_unix_ms(first_start);
  if (!IsTerminal(state)) parent.set_end_unix_ms(0);
  SetState(parent, state,
           fmt::format("{} of {} children succeeded, {} failed, {} cancelled, {} running{}", count[v1::SUCCEEDED],
                       total, count[v1::FAILED], count[v1::CANCELLED] - stopped_early, count[v1::RUNNING],
                       stopped_early == 0 ? "" : fmt::format(", {} stopped early", stopped_early)),
           change);
}

}  // namespace ridgeline
