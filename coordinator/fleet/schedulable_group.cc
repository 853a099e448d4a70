// SPDX-License-Identifier: Apache-2.0
#include "coordinator/fleet/schedulable_group.h"

#include <algorithm>

namespace ridgeline {

SchedulableGroup AsSchedulable(const v1::Hello& hello, bool idle) {
  SchedulableGroup group{.id = hello.group_id(), .ranks = hello.ranks(), .idle = idle};
  group.labels.insert(hello.labels().begin(), hello.labels().end());
  if (hello.devices().empty() || hello.devices_size() != hello.ranks()) return group;
  group.device = hello.devices(0).kind();
  group.rank_memory_bytes = hello.devices(0).memory_bytes();
  for (const v1::Device& device : hello.devices()) {
    if (device.kind() != group.device) group.device.clear();
    group.rank_memory_bytes = std::min(group.rank_memory_bytes, device.memory_bytes());
  }
  return group;
}

}  // namespace ridgeline
