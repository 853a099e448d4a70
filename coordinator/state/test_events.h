// SPDX-License-Identifier: Apache-2.0
// Events as the coordinator writes them, for the tests of state and journal.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "coordinator/state/coordinator_state.h"

namespace ridgeline::test {

inline v1::Job MakeJob(int64_t number, const std::string& name = "run", int ranks = 1, int max_restarts = 2) {
  v1::Job job;
  job.set_id(JobId(number));
  job.set_name(name);
  job.mutable_recipe()->set_name(name);
  job.mutable_recipe()->mutable_training()->set_steps(100);
  job.mutable_recipe()->mutable_resources()->set_ranks(ranks);
  job.mutable_recipe()->mutable_recovery()->set_max_restarts(max_restarts);
  return job;
}

inline v1::Event Submitted(std::vector<v1::Job> jobs, const std::string& request_id = "") {
  v1::Event event;
  for (v1::Job& job : jobs) *event.mutable_jobs_submitted()->add_jobs() = std::move(job);
  event.mutable_jobs_submitted()->set_request_id(request_id);
  return event;
}

// A parent with the given number and its children right after it.
inline v1::Event SubmittedSweep(int64_t parent_number, int children, const std::string& request_id = "") {
  std::vector<v1::Job> jobs{MakeJob(parent_number, "sweep")};
  for (int i = 1; i <= children; ++i) {
    v1::Job child = MakeJob(parent_number + i, "sweep-" + std::to_string(i));
    child.set_parent_id(JobId(parent_number));
    jobs[0].add_child_ids(child.id());
    jobs.push_back(child);
  }
  return Submitted(std::move(jobs), request_id);
}

inline v1::Event Started(const std::string& job_id, int64_t epoch, const std::string& group_id) {
  v1::Event event;
  event.mutable_attempt_started()->set_job_id(job_id);
  event.mutable_attempt_started()->set_epoch(epoch);
  event.mutable_attempt_started()->set_group_id(group_id);
  event.mutable_attempt_started()->set_incarnation(group_id + "-1");
  event.mutable_attempt_started()->set_ranks(2);
  return event;
}

inline v1::Event Ended(const std::string& job_id, int64_t epoch, v1::AttemptOutcome outcome) {
  v1::Event event;
  event.mutable_attempt_ended()->set_job_id(job_id);
  event.mutable_attempt_ended()->set_epoch(epoch);
  event.mutable_attempt_ended()->set_outcome(outcome);
  event.mutable_attempt_ended()->set_detail("as told");
  if (outcome == v1::COMPLETED) event.mutable_attempt_ended()->mutable_point()->set_accuracy(0.4);
  return event;
}

inline v1::Event Checkpointed(const std::string& job_id, int64_t epoch, int64_t step) {
  v1::Event event;
  event.mutable_checkpoint_recorded()->set_job_id(job_id);
  event.mutable_checkpoint_recorded()->set_epoch(epoch);
  event.mutable_checkpoint_recorded()->mutable_checkpoint()->set_step(step);
  return event;
}

inline v1::Event Cancelled(const std::string& job_id) {
  v1::Event event;
  event.mutable_cancel_requested()->set_job_id(job_id);
  return event;
}

inline v1::Event Retried(const std::string& job_id) {
  v1::Event event;
  event.mutable_job_retried()->set_job_id(job_id);
  return event;
}

inline v1::Event QueueSetTo(const std::string& name, double weight, int max_ranks = 0, double max_rank_hours = 0,
                            double period_hours = 0) {
  v1::Event event;
  v1::Queue& queue = *event.mutable_queue_set()->mutable_queue();
  queue.set_name(name);
  queue.set_weight(weight);
  queue.set_max_ranks(max_ranks);
  queue.set_max_rank_hours(max_rank_hours);
  queue.set_period_hours(period_hours);
  return event;
}

inline v1::Event Paused(const std::string& job_id, bool paused) {
  v1::Event event;
  event.mutable_job_changed()->set_job_id(job_id);
  event.mutable_job_changed()->set_paused(paused);
  return event;
}

inline v1::Event Drained(const std::string& group_id, bool draining) {
  v1::Event event;
  event.mutable_group_drained()->set_group_id(group_id);
  event.mutable_group_drained()->set_draining(draining);
  return event;
}

// With a hash of 64 times `digit`.
inline v1::Event TokenChangedTo(const std::string& name, const std::string& role, char digit) {
  v1::Event event;
  v1::Token& token = *event.mutable_token_changed()->mutable_token();
  token.set_name(name);
  token.set_role(role);
  token.set_secret_sha256(std::string(64, digit));
  return event;
}

inline v1::Event AskedToEnd(const std::string& job_id, int64_t epoch, const std::string& reason) {
  v1::Event event;
  event.mutable_preempt_requested()->set_job_id(job_id);
  event.mutable_preempt_requested()->set_epoch(epoch);
  event.mutable_preempt_requested()->set_reason(reason);
  return event;
}

// All of the state, to compare.
inline v1::Snapshot SnapshotOf(const CoordinatorState& state) {
  v1::Snapshot snapshot;
  snapshot.set_sequence(state.sequence());
  snapshot.set_next_job_number(state.next_job_number());
  for (const auto& [number, job] : state.jobs()) *snapshot.add_jobs() = job;
  for (const v1::FrontierPoint& point : state.points()) *snapshot.add_points() = point;
  for (const auto& [name, queue] : state.queues()) *snapshot.add_queues() = queue;
  for (const auto& [name, token] : state.tokens()) *snapshot.add_tokens() = token;
  for (const std::string& group_id : state.draining_groups()) snapshot.add_draining_groups(group_id);
  return snapshot;
}

// Gives each event the next sequence and a time, as the journal does.
class Feeder {
 public:
  explicit Feeder(CoordinatorState* state) : state_(state) {}
  std::vector<CoordinatorState::Transition> Apply(v1::Event event) {
    event.set_sequence(state_->sequence() + 1);
    event.set_time_unix_ms(1'700'000'000'000 + event.sequence() * 1000);
    history_.push_back(event);
    return state_->Apply(event);
  }
  const std::vector<v1::Event>& history() const { return history_; }

 private:
  CoordinatorState* state_;
  std::vector<v1::Event> history_;
};

}  // namespace ridgeline::test
