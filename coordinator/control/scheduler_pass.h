// SPDX-License-Identifier: Apache-2.0
// One pass of the scheduler: what it works on and its steps. For scheduler.cc and scheduler_preempt.cc alone.
#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "coordinator/control/scheduler.h"

namespace ridgeline {

class SchedulerPass {
 public:
  SchedulerPass(const CoordinatorState& state, const FleetView& fleet, const SchedulerMemory& memory, int64_t now_ms)
      : state_(state), fleet_(fleet), memory_(memory), now_ms_(now_ms) {}

  Decision Run();

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  static constexpr int kNone = -1;

  struct Group {
    const SchedulableGroup* view = nullptr;
    bool idle = false;
    bool draining = false;
    int64_t promised_to = 0;   // A job's number.
    int64_t free_ms = kNever;  // When what runs on it ends; kNever: nobody can say.
    bool free_by_estimates = false;
  };
  // What all jobs that ask for the same have in common.
  struct Request {
    std::vector<int> fitting;  // Groups, not draining ones: few ranks first, then by id.
    std::vector<bool> fits;    // The same, for each group.
    size_t first_idle = 0;     // None before it is idle.
  };
  struct Job {
    int64_t number = 0;
    const v1::Job* job = nullptr;
    const v1::Resources* wanted = nullptr;
    int queue = 0;
    int request = 0;
    bool started = false;
    bool waits_for_ranks = false;  // Eligible: for a group, or for ranks of its queue.
    WaitKind kind = WaitKind::kGroupBusy;
    int64_t other = 0;      // As in WaitBoard::Waiting.
    int group = kNone;      // The same.
    int64_t left_ms = 0;    // Of its time limit; 0: it has none.
    int64_t expect_ms = 0;  // When it should start; 0: nobody can say.
    bool expect_by_estimates = false;
  };
  struct Queue {
    const v1::Queue* limits = nullptr;
    std::string name;
    int running_ranks = 0;
    double rank_hours = 0;
    bool hours_used_up = false;
    std::vector<int> line;  // Jobs.
    size_t next = 0;        // Of the line.
    int head = kNone;       // The first that waits for a group or for ranks of the queue.
    int blocked = kNone;    // The first that waits for ranks of the queue.
    int64_t shadow_ms = 0;  // When it has them; kNever: nobody can say.
  };
  struct Running {
    const v1::Job* job = nullptr;
    int queue = 0;
    int group = kNone;
    int ranks = 0;
    int64_t end_ms = kNever;  // At the latest, or by an estimate.
    bool asked = false;       // To end, or cancelled.
  };
  struct Sweep {
    int max_concurrent = 0;  // 0: no limit.
    int running = 0;
  };
  // Groups that are kept from other queues.
  struct Kept {
    int queue = 0;
    int job = 0;
    std::vector<bool> groups;
  };

  // scheduler.cc
  void GatherGroups();
  void GatherJobs();
  void GatherQueues();
  int QueueIndex(const std::string& name);
  int RequestOf(const v1::Resources& wanted);
  void AddRunning(const CoordinatorState::ActiveJob& active);
  void KeepPromises();
  int FirstThatFits(const Queue& queue, int group) const;
  void KeepGroups();
  void Place();
  Queue* NextQueue();
  void Consider(int index);
  bool IsEligible(const Job& job, WaitKind* why) const;
  int SmallestRanks(const Job& job) const;
  bool LacksRanks(const Queue& queue, int ranks) const;
  void Block(Queue* queue, int index);
  bool MayPassBlocked(const Queue& queue, const Job& job) const;
  int FreeGroup(Job* job);
  const Kept* KeeperOf(int group, const Job& job) const;
  void Start(int index, int group);
  void Wait(int index, WaitKind kind);
  int64_t HeadSince(const Queue& queue, int64_t number) const;
  void Forecast();
  void Remember();
  void DueAt(int64_t ms);
  void MakeBoard();

  // scheduler_preempt.cc
  void EndAtTimeLimits();
  void Preempt();
  bool MakeRoomFor(int index);
  bool TakeGroupThatEnds(int index);
  bool MayEnd(const Running& victim, const Job& job) const;
  bool IsOverShare(const Queue& queue) const;
  bool IsUnderShare(const Queue& queue) const;
  bool Fit(const Job& job, int group) const {
    return requests_[static_cast<size_t>(job.request)].fits[static_cast<size_t>(group)];
  }
  double FairShare(const Queue& queue) const;
  void Promise(int index, int group);

  const CoordinatorState& state_;
  const FleetView& fleet_;
  const SchedulerMemory& memory_;
  const int64_t now_ms_;

  std::vector<Group> groups_;  // By ranks, then id.
  double shared_ranks_ = 0;    // Of groups that are not draining.
  absl::flat_hash_map<std::string, int> group_by_id_;
  std::vector<Job> jobs_;  // In order of submission.
  std::vector<Running> running_;
  std::vector<Queue> queues_;  // By name.
  absl::flat_hash_map<std::string, int> queue_by_name_;
  std::vector<Request> requests_;
  absl::flat_hash_map<std::string, int> request_by_key_;
  absl::flat_hash_map<std::string, Sweep> sweeps_;
  std::vector<Kept> kept_;
  std::vector<int> considered_;  // Jobs in the order in which they were considered and left waiting for ranks.
  std::map<std::string, int64_t> full_until_ms_;
  Decision decision_;
};

}  // namespace ridgeline
