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

std::string WaitReason(int ranks, const std::vector<SchedulableGroup>& groups, size_t position) {
  const auto fits = [ranks](const SchedulableGroup& group) { return group.ranks >= ranks; };
  const auto fitting = std::count_if(groups.begin(), groups.end(), fits);
  if (fitting == 0) {
    return fmt::format("no worker group with {} rank{} is connected; `ridgeline worker list` shows the groups", ranks,
                       ranks == 1 ? "" : "s");
  }
  return fmt::format("waits for one of {} fitting worker group{} to become free; {} job{} ahead of it in the queue",
                     fitting, fitting == 1 ? "" : "s", position, position == 1 ? " is" : "s are");
}

}  // namespace

Schedule MakeSchedule(const CoordinatorState& state, const std::vector<SchedulableGroup>& groups) {
  std::vector<const v1::Job*> queue = state.QueuedJobs();  // Oldest first; the sort keeps that order.
  std::stable_sort(queue.begin(), queue.end(),
                   [](const v1::Job* a, const v1::Job* b) { return a->priority() > b->priority(); });
  Schedule schedule;
  std::vector<SchedulableGroup> free = groups;
  for (const v1::Job* job : queue) {
    const int ranks = state.RanksWanted(*job);
    if (SchedulableGroup* group = SmallestFit(free, ranks)) {
      group->idle = false;
      schedule.assignments.push_back({job->id(), group->id});
    } else {
      schedule.wait_reasons[job->id()] = WaitReason(ranks, groups, schedule.wait_reasons.size());
    }
  }
  return schedule;
}

}  // namespace ridgeline
