// SPDX-License-Identifier: Apache-2.0
// Which job runs next on which worker group, and which one has to make room: a pure function of the state, the
// connected groups, and what the last pass remembered. docs/scheduling.md states the rules.
//
// Words: the *line* of a queue is its queued jobs, by priority, then age; its *head* is the first that could run on a
// connected group within the queue's limits. A queue's *usage* is the ranks of the groups that its jobs run on.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/control/wait_reasons.h"
#include "coordinator/fleet/schedulable_group.h"
#include "coordinator/state/coordinator_state.h"

namespace ridgeline {

// After so long at the head of its queue a job is helped: groups that it fits are kept from other queues' jobs that fit
// more groups, and jobs behind it no longer use up the ranks that its queue lacks for it.
inline constexpr int64_t kHeadPatienceMs = 10 * 60'000;
// For so long a group is kept for the job that somebody was asked to make room for.
inline constexpr int64_t kPromiseMs = 10 * 60'000;
// A job is asked to make room at most so often within an hour, and asks nobody for so long after it was.
inline constexpr int kMaxPreemptionsPerHour = 3;
inline constexpr int64_t kRestAfterPreemptionMs = 5 * 60'000;

struct FleetView {
  std::vector<SchedulableGroup> groups;
  std::map<std::string, double> remaining_seconds;  // By job id: estimates for those that run, where there are any.
};

struct Assignment {
  std::string job_id;
  std::string group_id;
};

// Its live attempt is to commit a checkpoint and end.
struct Preemption {
  std::string job_id;
  int64_t epoch = 0;
  std::string reason;  // For people.
};

// What a pass leaves for the next one. Lost at a restart, which delays those who waited.
struct SchedulerMemory {
  struct Head {
    int64_t number = 0;
    int64_t since_unix_ms = 0;
  };
  struct Promise {
    int64_t number = 0;
    int64_t until_unix_ms = 0;
  };
  std::map<std::string, Head> heads;        // By queue.
  std::map<std::string, Promise> promises;  // By group: the job that it is being made free for.
};

struct Decision {
  std::vector<Assignment> starts;  // In the order in which they were decided.
  std::vector<Preemption> preemptions;
  SchedulerMemory memory;
  int64_t next_due_unix_ms = 0;  // When time alone may change the decision; 0: never.
  std::shared_ptr<const WaitBoard> board;
};

// Cost: jobs x log jobs, plus groups for each different wish of jobs.
Decision Decide(const CoordinatorState& state, const FleetView& fleet, const SchedulerMemory& memory,
                int64_t now_unix_ms);

}  // namespace ridgeline
