// SPDX-License-Identifier: Apache-2.0
// Who has to end: jobs whose time is used up, and jobs that make room for others.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "coordinator/control/scheduler_pass.h"

namespace ridgeline {
namespace {

constexpr int64_t kHourMs = 3'600'000;

bool WasAsked(const v1::Attempt& attempt) {
  return attempt.outcome() == v1::PREEMPTED && !attempt.preempt_reason().empty();
}

// How often it made room within the last hour.
int RecentPreemptions(const v1::Job& job, int64_t now_ms) {
  return static_cast<int>(std::count_if(job.attempts().begin(), job.attempts().end(), [&](const v1::Attempt& attempt) {
    return WasAsked(attempt) && now_ms - attempt.end_unix_ms() < kHourMs;
  }));
}

bool RestsAfterPreemption(const v1::Job& job, int64_t now_ms) {
  if (job.attempts().empty()) return false;
  const v1::Attempt& last = *job.attempts().rbegin();
  return WasAsked(last) && now_ms - last.end_unix_ms() < kRestAfterPreemptionMs;
}

// What would be lost if its checkpoint failed.
int64_t UnsavedMs(const v1::Job& job, int64_t now_ms) {
  const int64_t saved_ms = std::max(LiveAttempt(job)->start_unix_ms(), job.last_checkpoint().time_unix_ms());
  return std::max<int64_t>(0, now_ms - saved_ms);
}

}  // namespace

void SchedulerPass::EndAtTimeLimits() {
  for (Running& running : running_) {
    const v1::Resources& wanted = state_.ResourcesWanted(*running.job);
    const int64_t limit_ms = TimeLimitMs(wanted);
    if (limit_ms == 0 || running.asked) continue;
    const int64_t left_ms = limit_ms - TimeUsedMs(*running.job, now_ms_);
    DueAt(now_ms_ + left_ms);
    if (left_ms > 0) continue;
    running.asked = true;
    decision_.preemptions.push_back(
        {running.job->id(), LiveAttempt(*running.job)->epoch(),
         fmt::format("its resources.time_limit of {:g} hours is used up", wanted.time_limit())});
  }
}

// Of all ranks that jobs may be given, by the weights of the queues that have any.
double SchedulerPass::FairShare(const Queue& queue) const {
  double weights = 0;
  for (const Queue& other : queues_)
    if (!other.line.empty() || other.running_ranks > 0) weights += other.limits->weight();
  return weights > 0 ? shared_ranks_ * queue.limits->weight() / weights : 0;
}

bool SchedulerPass::IsOverShare(const Queue& queue) const { return queue.running_ranks > FairShare(queue); }
bool SchedulerPass::IsUnderShare(const Queue& queue) const { return queue.running_ranks < FairShare(queue); }

// In the same queue less priority is enough. Of another queue only where that has more than its share and this one
// less. The priority is always less, so that nobody is asked in turn by those who were asked.
bool SchedulerPass::MayEnd(const Running& victim, const Job& job) const {
  if (victim.asked || victim.group == kNone || victim.job->priority() >= job.job->priority()) return false;
  const Group& group = groups_[static_cast<size_t>(victim.group)];
  if (group.draining || group.promised_to != 0) return false;
  if (RecentPreemptions(*victim.job, now_ms_) >= kMaxPreemptionsPerHour) return false;
  const Queue& own = queues_[static_cast<size_t>(job.queue)];
  const int max_ranks = own.limits->max_ranks();
  const int given_back = victim.queue == job.queue ? victim.ranks : 0;
  if (max_ranks > 0 && own.running_ranks - given_back + group.view->ranks > max_ranks) return false;
  return victim.queue == job.queue || (IsOverShare(queues_[static_cast<size_t>(victim.queue)]) && IsUnderShare(own));
}

void SchedulerPass::Promise(int index, int group) {
  Job& job = jobs_[static_cast<size_t>(index)];
  Group& promised = groups_[static_cast<size_t>(group)];
  promised.promised_to = job.number;
  job.kind = WaitKind::kGroupPromised;
  job.group = group;
  decision_.memory.promises[promised.view->id] = {job.number, now_ms_ + kPromiseMs};
  DueAt(now_ms_ + kPromiseMs);
}

// Somebody who was asked to end anyway, by a person for instance.
bool SchedulerPass::TakeGroupThatEnds(int index) {
  const Job& job = jobs_[static_cast<size_t>(index)];
  for (const Running& running : running_) {
    if (!running.asked || running.group == kNone || LiveAttempt(*running.job) == nullptr) continue;
    if (groups_[static_cast<size_t>(running.group)].promised_to != 0) continue;
    if (!Fit(job, running.group)) continue;
    const Queue& own = queues_[static_cast<size_t>(job.queue)];
    const int given_back = running.queue == job.queue ? running.ranks : 0;
    const int ranks = groups_[static_cast<size_t>(running.group)].view->ranks;
    if (own.limits->max_ranks() > 0 && own.running_ranks - given_back + ranks > own.limits->max_ranks()) continue;
    Promise(index, running.group);
    return true;
  }
  return false;
}

// Asks the one who loses least; a gang is one group, so that one is enough.
bool SchedulerPass::MakeRoomFor(int index) {
  const Job& job = jobs_[static_cast<size_t>(index)];
  const auto loss = [&](const Running& victim) {
    return std::make_tuple(UnsavedMs(*victim.job, now_ms_) * victim.ranks, victim.job->priority(),
                           -ParseJobNumber(victim.job->id()));
  };
  Running* least = nullptr;
  for (Running& running : running_) {
    if (running.group == kNone || !Fit(job, running.group) || !MayEnd(running, job)) continue;
    if (least == nullptr || loss(running) < loss(*least)) least = &running;
  }
  if (least == nullptr) return false;
  least->asked = true;
  Promise(index, least->group);
  queues_[static_cast<size_t>(least->queue)].running_ranks -= least->ranks;
  queues_[static_cast<size_t>(job.queue)].running_ranks += least->ranks;
  decision_.preemptions.push_back(
      {least->job->id(), LiveAttempt(*least->job)->epoch(),
       fmt::format("makes room for {}, of priority {}", job.job->id(), job.job->priority())});
  return true;
}

void SchedulerPass::Preempt() {
  int lowest = std::numeric_limits<int>::max();
  for (const Running& running : running_)
    if (!running.asked) lowest = std::min(lowest, running.job->priority());
  absl::flat_hash_map<int64_t, int> promised;  // Job to group.
  for (const auto& [group_id, promise] : decision_.memory.promises)
    promised[promise.number] = group_by_id_.at(group_id);
  std::set<std::tuple<int, int, int>> failed;  // Queue, request and priority of jobs for whom nobody can be asked.
  for (const int index : considered_) {
    Job& job = jobs_[static_cast<size_t>(index)];
    const int priority = job.job->priority();
    if (const auto found = promised.find(job.number); found != promised.end()) {
      job.kind = WaitKind::kGroupPromised;
      job.group = found->second;
    }
    if (priority <= lowest || job.kind == WaitKind::kGroupPromised || job.kind == WaitKind::kBehindHead) continue;
    if (RestsAfterPreemption(*job.job, now_ms_) || failed.count({job.queue, job.request, priority}) > 0) continue;
    if (!TakeGroupThatEnds(index) && !MakeRoomFor(index)) failed.insert({job.queue, job.request, priority});
  }
}

}  // namespace ridgeline
