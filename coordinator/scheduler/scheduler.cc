// SPDX-License-Identifier: Apache-2.0
#include "coordinator/scheduler/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

namespace ridgeline {
namespace {

// The smallest idle group with enough ranks; among equals the first by id, so that the answer is the same each time.
SchedulableGroup* SmallestFit(std::vector<SchedulableGroup>& groups, int ranks) {
  SchedulableGroup* best = nullptr;
  for (SchedulableGroup& group : groups) {
    if (!group.idle || group.ranks < ranks) continue;
    if (best == nullptr || group.ranks < best->ranks || (group.ranks == best->ranks && group.id < best->id)) {
      best = &group;
    }
  }
  return best;
}

std::string Seconds(int64_t ms) { return fmt::format("{} s", (ms + 999) / 1000); }

std::string WaitReason(int ranks, const std::vector<SchedulableGroup>& groups,
                       const std::map<std::string, int64_t>& full_groups, size_t position) {
  const auto fits = [ranks](const SchedulableGroup& group) { return group.ranks >= ranks; };
  const auto fitting = std::count_if(groups.begin(), groups.end(), fits);
  if (fitting == 0) {
    return fmt::format("no worker group with {} rank{} is connected; `ridgeline worker list` shows the groups", ranks,
                       ranks == 1 ? "" : "s");
  }
  const std::string ahead = fmt::format("{} job{} ahead of it in the queue", position, position == 1 ? " is" : "s are");
  for (const SchedulableGroup& group : groups) {
    const auto full = full_groups.find(group.id);
    if (!fits(group) || full == full_groups.end()) continue;
    return fmt::format("there is no room on the disk of worker group '{}', which is tried again in {}; {}", group.id,
                       Seconds(full->second), ahead);
  }
  return fmt::format("waits for one of {} fitting worker group{} to become free; {}", fitting, fitting == 1 ? "" : "s",
                     ahead);
}

// Groups whose last job found no room, with the time that is left until they are tried again.
std::map<std::string, int64_t> FullGroups(const std::vector<const v1::Job*>& queue, int64_t now_unix_ms) {
  std::map<std::string, int64_t> full;
  for (const v1::Job* job : queue) {
    const int64_t wait_ms = NoRoomWaitMs(*job, now_unix_ms);
    if (wait_ms == 0 || job->attempts().empty()) continue;
    int64_t& longest_ms = full[job->attempts().rbegin()->group_id()];
    longest_ms = std::max(longest_ms, wait_ms);
  }
  return full;
}

}  // namespace

Schedule MakeSchedule(const CoordinatorState& state, const std::vector<SchedulableGroup>& groups, int64_t now_unix_ms) {
  std::vector<const v1::Job*> queue = state.QueuedJobs();  // Oldest first; the sort keeps that order.
  std::stable_sort(queue.begin(), queue.end(),
                   [](const v1::Job* a, const v1::Job* b) { return a->priority() > b->priority(); });
  Schedule schedule;
  const std::map<std::string, int64_t> full_groups = FullGroups(queue, now_unix_ms);
  std::vector<SchedulableGroup> free = groups;
  for (SchedulableGroup& group : free) group.idle = group.idle && full_groups.count(group.id) == 0;
  for (const v1::Job* job : queue) {
    const int ranks = state.RanksWanted(*job);
    if (const int64_t wait_ms = NoRoomWaitMs(*job, now_unix_ms); wait_ms > 0) {
      schedule.wait_reasons[job->id()] = fmt::format("it is tried again in {}", Seconds(wait_ms));
    } else if (SchedulableGroup* group = SmallestFit(free, ranks)) {
      group->idle = false;
      schedule.assignments.push_back({job->id(), group->id});
    } else {
      schedule.wait_reasons[job->id()] = WaitReason(ranks, groups, full_groups, schedule.wait_reasons.size());
    }
  }
  return schedule;
}

}  // namespace ridgeline
