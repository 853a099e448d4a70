// SPDX-License-Identifier: Apache-2.0
// One line a group; equal devices are counted.
#include "cli/shared/worker_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/shared/table.h"

namespace ridgeline {
namespace {

std::string GroupStateName(v1::GroupState state) {
  if (state == v1::GROUP_STATE_UNSPECIFIED) return "unknown";
  std::string name = v1::GroupState_Name(state);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

// Whole GiB, rounded down, where there are many: a job that asks for what is shown here fits.
std::string MemoryText(int64_t bytes) {
  constexpr int64_t kGibibyte = int64_t{1} << 30;
  if (bytes == 0) return "";
  return " " +
         (bytes >= 10 * kGibibyte ? fmt::format("{} GiB", bytes / kGibibyte) : HumanBytes(static_cast<double>(bytes)));
}

// "2x cpu 7.8 GiB", "2x NVIDIA H200 139 GiB": of each rank.
std::string DevicesText(const v1::WorkerGroup& group) {
  std::map<std::string, int> counts;
  for (const v1::Device& device : group.devices())
    ++counts[(device.name().empty() ? device.kind() : device.name()) + MemoryText(device.memory_bytes())];
  std::string text;
  for (const auto& [device, count] : counts) {
    text += (text.empty() ? "" : ", ") + (count > 1 ? fmt::format("{}x {}", count, device) : device);
  }
  return text;
}

}  // namespace

std::string WorkerTable(const v1::ListWorkersResponse& workers, int64_t now_unix_ms, const Style& style) {
  Table table({{"GROUP"},
               {"STATE"},
               {"RANKS", true},
               {"HOST"},
               {"DEVICES"},
               {"MEMORY", true},
               {"JOB"},
               {"HEARTBEAT", true},
               {"VERSION"}});
  for (const v1::WorkerGroup& group : workers.groups()) {
    const Color color = group.state() == v1::UNREACHABLE ? Color::kRed
                        : group.state() == v1::BUSY      ? Color::kBlue
                                                         : Color::kGreen;
    const std::string heartbeat =
        group.last_heartbeat_unix_ms() == 0 ? "" : HumanAge(now_unix_ms - group.last_heartbeat_unix_ms()) + " ago";
    const std::string state = GroupStateName(group.state()) + (group.draining() ? ", draining" : "");
    table.AddRow({group.id(), Paint(state, color, style), fmt::format("{}", group.ranks()), group.host(),
                  DevicesText(group), HumanBytes(static_cast<double>(group.memory_bytes())), group.job_id(), heartbeat,
                  group.version()});
  }
  return table.ToString(style);
}

}  // namespace ridgeline
