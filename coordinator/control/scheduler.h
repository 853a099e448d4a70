// SPDX-License-Identifier: Apache-2.0
// Which job runs next on which worker group: a pure function of the state and the connected groups.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "coordinator/fleet/schedulable_group.h"
#include "coordinator/state/coordinator_state.h"

namespace ridgeline {

struct Assignment {
  std::string job_id;
  std::string group_id;
};

struct Schedule {
  std::vector<Assignment> assignments;              // In the order of the queue.
  std::map<std::string, std::string> wait_reasons;  // By job id, for every queued job that gets no group.
};

// Priority first, then age. A job takes a whole group, the smallest that fits: with at least resources.ranks ranks,
// each of resources.device and with at least resources.memory. A job that fits no idle group does not hold up those
// behind it, and the reason why it waits names what no connected group has. A job that found no room waits its time,
// and so does the group that it found none on. Cost: jobs x groups.
Schedule MakeSchedule(const CoordinatorState& state, const std::vector<SchedulableGroup>& groups, int64_t now_unix_ms);

}  // namespace ridgeline
