// SPDX-License-Identifier: Apache-2.0
// Which job runs next on which worker group: a pure function of the state and the connected groups.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "coordinator/state/coordinator_state.h"

namespace ridgeline {

// A connected worker group, as the scheduler sees it.
struct SchedulableGroup {
  std::string id;
  int ranks = 0;
  bool idle = false;
};

struct Assignment {
  std::string job_id;
  std::string group_id;
};

struct Schedule {
  std::vector<Assignment> assignments;              // In the order of the queue.
  std::map<std::string, std::string> wait_reasons;  // By job id, for every queued job that gets no group.
};

// Priority first, then age. A job takes a whole group with at least resources.ranks ranks, the smallest that fits;
// a job that fits no idle group does not hold up those behind it. A job that found no room waits its time, and so does
// the group that it found none on. Cost: jobs x groups.
Schedule MakeSchedule(const CoordinatorState& state, const std::vector<SchedulableGroup>& groups, int64_t now_unix_ms);

}  // namespace ridgeline
