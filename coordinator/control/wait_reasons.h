// SPDX-License-Identifier: Apache-2.0
// Why jobs wait, as a pass of the scheduler found it; put into words when somebody asks.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "coordinator/fleet/schedulable_group.h"
#include "coordinator/state/coordinator_state.h"

namespace ridgeline {

enum class WaitKind : uint8_t {
  kNoRoom,        // It waits until it is tried again after a full disk.
  kNoGroup,       // No connected group fits.
  kSweep,         // sweep.max_concurrent children run.
  kQueueHours,    // The queue's rank-hours are used up.
  kQueueTooFew,   // The queue may never have as many ranks as the smallest group that fits.
  kQueueRanks,    // The queue has too few ranks left.
  kBehindHead,    // It would use up ranks of the queue that the head waits for.
  kGroupBusy,     // All groups that fit are busy.
  kGroupKept,     // One that fits is idle, and kept for a job of another queue.
  kGroupPromised  // One is being made free for it.
};

struct WaitBoard {
  struct Waiting {
    int64_t number = 0;
    WaitKind kind = WaitKind::kGroupBusy;
    int place = 0;                       // In its queue's line: how many are ahead.
    int64_t expected_start_unix_ms = 0;  // 0: nobody can say.
    bool is_by_estimates = false;
    int64_t other = 0;     // kGroupKept, kBehindHead: the job that it is kept for.
    std::string group_id;  // kGroupKept, kGroupPromised.
  };
  struct Line {
    int running_ranks = 0;
    double rank_hours = 0;         // Within the queue's period, where it has a limit.
    std::vector<int64_t> waiting;  // Numbers of those that could run on a connected group.
  };
  std::vector<SchedulableGroup> groups;
  std::set<std::string> draining;
  std::map<std::string, int64_t> full_until_unix_ms;  // By group: its disk was full, and it is tried again then.
  std::map<std::string, Line> lines;                  // By queue.
  std::vector<Waiting> waiting;                       // By number.
};

// The text, who is ahead, and when it should start; an empty text for a job that the pass did not leave waiting. Cost:
// a search by number, and the groups.
v1::WaitReason WhyWaits(const WaitBoard& board, const CoordinatorState& state, const std::string& job_id,
                        int64_t now_unix_ms);

}  // namespace ridgeline
