// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

namespace ridgeline {
namespace {

constexpr double kGibibyte = 1 << 30;

std::string Plural(size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

int RanksOf(const v1::Resources& wanted) { return std::max(1, wanted.ranks()); }

// "cpu" or "cuda"; empty where either will do.
std::string DeviceOf(const v1::Resources& wanted) { return wanted.device() == "any" ? "" : wanted.device(); }

bool HasDevice(const SchedulableGroup& group, const v1::Resources& wanted) {
  return DeviceOf(wanted).empty() || group.device == wanted.device();
}
bool HasRanks(const SchedulableGroup& group, const v1::Resources& wanted) { return group.ranks >= RanksOf(wanted); }
bool HasMemory(const SchedulableGroup& group, const v1::Resources& wanted) {
  return static_cast<double>(group.rank_memory_bytes) >= wanted.memory() * kGibibyte;
}
bool Fits(const SchedulableGroup& group, const v1::Resources& wanted) {
  return HasDevice(group, wanted) && HasRanks(group, wanted) && HasMemory(group, wanted);
}

// The smallest idle group that fits; among equals the first by id, so that the answer is the same each time.
SchedulableGroup* SmallestFit(std::vector<SchedulableGroup>& groups, const v1::Resources& wanted) {
  SchedulableGroup* best = nullptr;
  for (SchedulableGroup& group : groups) {
    if (!group.idle || !Fits(group, wanted)) continue;
    if (best == nullptr || group.ranks < best->ranks || (group.ranks == best->ranks && group.id < best->id)) {
      best = &group;
    }
  }
  return best;
}

// "2 groups of cpu, 1 group of unknown devices"
std::string KindsText(const std::vector<SchedulableGroup>& groups) {
  std::map<std::string, size_t> counts;
  for (const SchedulableGroup& group : groups) ++counts[group.device.empty() ? "unknown devices" : group.device];
  std::string text;
  for (const auto& [kind, count] : counts)
    text += fmt::format("{}{} of {}", text.empty() ? "" : ", ", Plural(count, "group"), kind);
  return text;
}

// The first of device, ranks and memory that none of the groups has which have those before it.
std::string WhatIsMissing(const v1::Resources& wanted, const std::vector<SchedulableGroup>& groups) {
  std::vector<SchedulableGroup> left = groups;
  std::erase_if(left, [&](const SchedulableGroup& group) { return !HasDevice(group, wanted); });
  if (left.empty() && !groups.empty())
    return fmt::format("no group {}: {} {} connected", wanted.device() == "cuda" ? "has GPUs" : "computes on CPUs",
                       KindsText(groups), groups.size() == 1 ? "is" : "are");
  std::erase_if(left, [&](const SchedulableGroup& group) { return !HasRanks(group, wanted); });
  const std::string device = DeviceOf(wanted).empty() ? "" : " of " + wanted.device();
  if (left.empty())
    return fmt::format("no worker group with {}{} is connected", Plural(static_cast<size_t>(RanksOf(wanted)), "rank"),
                       device);
  const auto most = std::max_element(
      left.begin(), left.end(), [](const auto& a, const auto& b) { return a.rank_memory_bytes < b.rank_memory_bytes; });
  return fmt::format("no worker group with {}{} has {:g} GiB for each: the most is {:.4g} GiB, in group '{}'",
                     Plural(static_cast<size_t>(RanksOf(wanted)), "rank"), device, wanted.memory(),
                     static_cast<double>(most->rank_memory_bytes) / kGibibyte, most->id);
}

std::string Seconds(int64_t ms) { return fmt::format("{} s", (ms + 999) / 1000); }

std::string WaitReason(const v1::Resources& wanted, const std::vector<SchedulableGroup>& groups,
                       const std::map<std::string, int64_t>& full_groups, size_t position) {
  const auto fits = [&](const SchedulableGroup& group) { return Fits(group, wanted); };
  const auto fitting = std::count_if(groups.begin(), groups.end(), fits);
  if (fitting == 0) return WhatIsMissing(wanted, groups) + "; `ridgeline worker list` shows the groups";
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
    const v1::Resources& wanted = state.ResourcesWanted(*job);
    if (const int64_t wait_ms = NoRoomWaitMs(*job, now_unix_ms); wait_ms > 0) {
      schedule.wait_reasons[job->id()] = fmt::format("it is tried again in {}", Seconds(wait_ms));
    } else if (SchedulableGroup* group = SmallestFit(free, wanted)) {
      group->idle = false;
      schedule.assignments.push_back({job->id(), group->id});
    } else {
      schedule.wait_reasons[job->id()] = WaitReason(wanted, groups, full_groups, schedule.wait_reasons.size());
    }
  }
  return schedule;
}

}  // namespace ridgeline
