// SPDX-License-Identifier: Apache-2.0
// Queues and what they have used, jobs that people change or pause, groups that drain, attempts that are asked to end.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"
#include "coordinator/state/coordinator_state.h"

namespace ridgeline {
namespace {

constexpr double kMsPerHour = 3'600'000;
constexpr double kDefaultPeriodHours = 24;

bool HasPassed(const v1::Job& job, int64_t time_limit_ms, int64_t now_unix_ms) {
  return time_limit_ms > 0 && TimeUsedMs(job, now_unix_ms) >= time_limit_ms;
}

// A trial that has its rung behind it waits there when it is resumed, and not in the queue.
bool CameToRung(const v1::Job& job) {
  return job.stop_at_step() > 0 && job.last_checkpoint().step() >= job.stop_at_step();
}

absl::Status CheckLimit(double value, const char* what) {
  if (std::isfinite(value) && value >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} is {}; 0 or more is right", what, value));
}

}  // namespace

std::string QueueOf(const v1::Job& job) { return job.queue().empty() ? kDefaultQueue : job.queue(); }

double PeriodHours(const v1::Queue& queue) {
  return queue.period_hours() > 0 ? queue.period_hours() : kDefaultPeriodHours;
}

int64_t TimeLimitMs(const v1::Resources& resources) {
  return static_cast<int64_t>(resources.time_limit() * kMsPerHour);
}

int64_t TimeUsedMs(const v1::Job& job, int64_t now_unix_ms) {
  int64_t used_ms = 0;
  for (auto attempt = job.attempts().rbegin(); attempt != job.attempts().rend(); ++attempt) {
    if (attempt->exit_reason() == v1::EXIT_TIME_LIMIT) break;
    if (attempt->outcome() == v1::NO_ROOM) continue;
    const int64_t end_ms = attempt->end_unix_ms() > 0 ? attempt->end_unix_ms() : now_unix_ms;
    used_ms += std::max<int64_t>(0, end_ms - attempt->start_unix_ms());
  }
  return used_ms;
}

std::map<std::string, v1::Queue> CoordinatorState::DefaultQueues() {
  v1::Queue queue;
  queue.set_name(kDefaultQueue);
  queue.set_weight(1);
  return {{kDefaultQueue, queue}};
}

absl::Status CheckQueue(const v1::Queue& queue) {
  if (queue.name().empty()) return absl::InvalidArgumentError("the queue has no name");
  RETURN_IF_ERROR(CheckLimit(queue.max_ranks(), "max_ranks"));
  RETURN_IF_ERROR(CheckLimit(queue.max_rank_hours(), "max_rank_hours"));
  RETURN_IF_ERROR(CheckLimit(queue.period_hours(), "period_hours"));
  if (std::isfinite(queue.weight()) && queue.weight() > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("weight is {}; it must be more than 0", queue.weight()));
}

absl::Status CoordinatorState::CheckQueueOf(const v1::Job& job) const {
  if (queues_.count(QueueOf(job)) > 0) return absl::OkStatus();
  std::vector<std::string> names;
  for (const auto& [name, queue] : queues_) names.push_back(name);
  return absl::InvalidArgumentError(
      fmt::format("queue: there is no queue '{}'; there are: {}. `ridgeline queue set {}` makes it", job.queue(),
                  fmt::join(names, ", "), job.queue()));
}

// NO_ROOM attempts in a row are kept as one, and computed nothing: they are charged to nobody.
void CoordinatorState::IndexUse(const std::string& queue, const v1::Attempt& attempt) {
  if (attempt.outcome() == v1::ATTEMPT_OUTCOME_UNSPECIFIED || attempt.outcome() == v1::NO_ROOM) return;
  std::vector<Use>& uses = uses_[queue];
  const Use use{attempt.start_unix_ms(), attempt.end_unix_ms(), attempt.ranks()};
  const auto place = std::upper_bound(uses.begin(), uses.end(), use,
                                      [](const Use& a, const Use& b) { return a.end_unix_ms < b.end_unix_ms; });
  uses.insert(place, use);
}

double CoordinatorState::RankHours(const std::string& queue, double period_hours, int64_t now_unix_ms) const {
  const auto since_ms = static_cast<int64_t>(static_cast<double>(now_unix_ms) - period_hours * kMsPerHour);
  double rank_ms = 0;
  const auto add = [&](int64_t start_ms, int64_t end_ms, int ranks) {
    rank_ms += static_cast<double>(std::max<int64_t>(0, end_ms - std::max(start_ms, since_ms))) * ranks;
  };
  if (const auto found = uses_.find(queue); found != uses_.end()) {
    for (auto use = found->second.rbegin(); use != found->second.rend() && use->end_unix_ms > since_ms; ++use)
      add(use->start_unix_ms, use->end_unix_ms, use->ranks);
  }
  for (const int64_t number : running_) {
    const v1::Job& job = jobs_.at(number);
    const v1::Attempt* live = LiveAttempt(job);
    if (live != nullptr && QueueOf(job) == queue) add(live->start_unix_ms(), now_unix_ms, live->ranks());
  }
  return rank_ms / kMsPerHour;
}

// What people changed on a child since it was submitted stands in its own labels: an empty value removes one.
google::protobuf::Map<std::string, std::string> CoordinatorState::LabelsOf(const v1::Job& job) const {
  if (!job.has_recipe_difference()) return job.labels();
  auto labels = RecipeOf(job, {"labels"}).labels();
  for (const auto& [key, value] : job.labels()) {
    if (value.empty()) {
      labels.erase(key);
    } else {
      labels[key] = value;
    }
  }
  return labels;
}

absl::Status CoordinatorState::CheckChanged(const v1::JobChanged& changed) const {
  const v1::Job* job = FindById(changed.job_id());
  if (job == nullptr) return absl::NotFoundError(fmt::format("there is no job '{}'", changed.job_id()));
  if (!changed.has_priority() && !changed.has_paused() && changed.labels().empty())
    return absl::InvalidArgumentError(fmt::format("nothing of {} is to be changed", job->id()));
  if (!IsTerminal(job->state())) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{} is {} and cannot be changed any more", job->id(), v1::JobState_Name(job->state())));
}

void CoordinatorState::ApplyChanged(const v1::JobChanged& changed, Change& change) {
  v1::Job& job = *MutableJob(changed.job_id());
  for (const std::string& child_id : job.child_ids()) ChangeOne(*MutableJob(child_id), changed, change);
  if (IsParent(job)) change.parents.insert(job.id());
  ChangeOne(job, changed, change);
}

void CoordinatorState::ChangeOne(v1::Job& job, const v1::JobChanged& changed, Change& change) {
  if (IsTerminal(job.state())) return;
  if (changed.has_priority()) job.set_priority(changed.priority());
  for (const auto& [key, value] : changed.labels()) {
    if (value.empty() && !job.has_recipe_difference()) {
      job.mutable_labels()->erase(key);
    } else {
      (*job.mutable_labels())[key] = value;
    }
  }
  if (!changed.has_paused() || changed.paused() == job.paused()) return;
  job.set_paused(changed.paused());
  if (IsParent(job)) return;  // It is derived from its children.
  if (changed.paused()) {
    Pause(job, change);
  } else {
    Resume(job, change);
  }
}

// A running job gets its checkpoint first.
void CoordinatorState::Pause(v1::Job& job, Change& change) {
  if (LiveAttempt(job) != nullptr) {
    v1::Attempt& live = *job.mutable_attempts()->rbegin();
    if (live.preempt_reason().empty()) {
      live.set_preempt_reason("paused on request");
      live.set_actor(change.actor);
    }
    job.set_reason("pause requested; waits for the worker group to commit a checkpoint");
    return;
  }
  SetState(job, v1::PAUSED,
           fmt::format("paused on request; `ridgeline resume {}` lets it go on from step {}", job.id(),
                       job.last_checkpoint().step()),
           change);
}

// One that was told to end and has not yet is queued when it has.
void CoordinatorState::Resume(v1::Job& job, Change& change) {
  if (LiveAttempt(job) != nullptr) {
    job.set_reason("resumed; goes on when it has committed its checkpoint");
  } else if (CameToRung(job)) {
    EndReached(job, change);
  } else {
    const int64_t step = job.last_checkpoint().step();
    SetState(job, v1::QUEUED, step == 0 ? "resumed" : fmt::format("resumed; waits to go on from step {}", step),
             change);
  }
}

void CoordinatorState::ApplyDrained(const v1::GroupDrained& drained) {
  if (drained.draining()) {
    draining_groups_.insert(drained.group_id());
  } else {
    draining_groups_.erase(drained.group_id());
  }
}

absl::Status CoordinatorState::CheckPreempt(const v1::PreemptRequested& preempt) const {
  RETURN_IF_ERROR(CheckLiveEpoch(preempt.job_id(), preempt.epoch()));
  if (LiveAttempt(*FindById(preempt.job_id()))->preempt_reason().empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("attempt {} of {} was asked to end before", preempt.epoch(), preempt.job_id()));
}

void CoordinatorState::ApplyPreempt(const v1::PreemptRequested& preempt, const Change& change) {
  v1::Job& job = *MutableJob(preempt.job_id());
  v1::Attempt& live = *job.mutable_attempts()->rbegin();
  live.set_preempt_reason(preempt.reason());
  live.set_actor(change.actor);
  job.set_reason(fmt::format("{}; the worker group commits a checkpoint", preempt.reason()));
}

// Whether the attempt that just ended used up what the job had.
bool CoordinatorState::EndAtTimeLimit(v1::Job& job, Change& change) {
  const v1::Resources& wanted = ResourcesWanted(job);
  v1::Attempt& last = *job.mutable_attempts()->rbegin();
  if (!HasPassed(job, TimeLimitMs(wanted), last.end_unix_ms())) return false;
  last.set_exit_reason(v1::EXIT_TIME_LIMIT);
  SetState(
      job, v1::FAILED,
      fmt::format("TIME_LIMIT: its resources.time_limit of {:g} hours is used up; `ridgeline retry {}` gives it as "
                  "long again, from step {}",
                  wanted.time_limit(), job.id(), job.last_checkpoint().step()),
      change);
  return true;
}

// Progress is counted from where the first attempt after the last lost one began.
void CoordinatorState::ForgetRestarts(v1::Job& job) const {
  if (job.restarts() == 0) return;
  const int64_t forget_after_steps = RecipeOf(job, {"recovery"}).recovery().forget_after_steps();
  int64_t from_step = 0;
  for (auto attempt = job.attempts().rbegin(); attempt != job.attempts().rend(); ++attempt) {
    if (attempt->outcome() == v1::LOST) break;
    from_step = attempt->resumed_from_step();
  }
  const int64_t step = job.last_checkpoint().step();
  if (forget_after_steps == 0 || step - from_step < forget_after_steps) return;
  job.set_restarts(0);
  job.set_restarts_forgotten_step(step);
}

}  // namespace ridgeline
