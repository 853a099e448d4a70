// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace ridgeline {
namespace {

constexpr double kGibibyte = 1 << 30;

int RanksOf(const v1::Resources& wanted) { return std::max(1, wanted.ranks()); }

// "cpu" or "cuda"; empty where either will do.
std::string DeviceOf(const v1::Resources& wanted) { return wanted.device() == "any" ? "" : wanted.device(); }

bool HasDevice(const SchedulableGroup& group, const v1::Resources& wanted) {
  return wanted.device().empty() || wanted.device() == "any" || group.device == wanted.device();
}
bool HasRanks(const SchedulableGroup& group, const v1::Resources& wanted) { return group.ranks >= RanksOf(wanted); }
bool HasMemory(const SchedulableGroup& group, const v1::Resources& wanted) {
  return static_cast<double>(group.rank_memory_bytes) >= wanted.memory() * kGibibyte;
}
bool HasLabels(const SchedulableGroup& group, const v1::Resources& wanted) {
  return std::all_of(wanted.labels().begin(), wanted.labels().end(), [&](const auto& label) {
    const auto found = group.labels.find(label.first);
    return found != group.labels.end() && found->second == label.second;
  });
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

// "a=1,b=2"
std::string LabelsText(const v1::Resources& wanted) {
  const std::map<std::string, std::string> sorted(wanted.labels().begin(), wanted.labels().end());
  std::string text;
  for (const auto& [key, value] : sorted) text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  return text;
}

}  // namespace

std::string Plural(size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

bool Fits(const SchedulableGroup& group, const v1::Resources& wanted) {
  return HasRanks(group, wanted) && HasDevice(group, wanted) && HasMemory(group, wanted) && HasLabels(group, wanted);
}

std::string WhatIsMissing(const v1::Resources& wanted, const std::vector<SchedulableGroup>& groups) {
  std::vector<SchedulableGroup> left = groups;
  std::erase_if(left, [&](const SchedulableGroup& group) { return !HasDevice(group, wanted); });
  if (left.empty() && !groups.empty())
    return fmt::format("no group {}: {} {} connected", wanted.device() == "cuda" ? "has GPUs" : "computes on CPUs",
                       KindsText(groups), groups.size() == 1 ? "is" : "are");
  std::erase_if(left, [&](const SchedulableGroup& group) { return !HasRanks(group, wanted); });
  const std::string device = DeviceOf(wanted).empty() ? "" : " of " + wanted.device();
  const std::string ranks = Plural(static_cast<size_t>(RanksOf(wanted)), "rank") + device;
  if (left.empty()) return fmt::format("no worker group with {} is connected", ranks);
  const auto most = std::max_element(
      left.begin(), left.end(), [](const auto& a, const auto& b) { return a.rank_memory_bytes < b.rank_memory_bytes; });
  if (!HasMemory(*most, wanted))
    return fmt::format("no worker group with {} has {:g} GiB for each: the most is {:.4g} GiB, in group '{}'", ranks,
                       wanted.memory(), static_cast<double>(most->rank_memory_bytes) / kGibibyte, most->id);
  return fmt::format("no worker group that has the rest has the labels {}; `ridgeline-worker --label` gives them",
                     LabelsText(wanted));
}

}  // namespace ridgeline
