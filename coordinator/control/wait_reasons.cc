// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/wait_reasons.h"

#include <fmt/format.h>

#include <algorithm>

#include "coordinator/control/fit.h"

namespace ridgeline {
namespace {

constexpr int kShownAhead = 20;

std::string Seconds(int64_t ms) { return fmt::format("{} s", (ms + 999) / 1000); }

std::string AheadText(int place) {
  return fmt::format("{} {} ahead of it in the queue", Plural(static_cast<size_t>(place), "job"),
                     place == 1 ? "is" : "are");
}

std::vector<SchedulableGroup> Fitting(const WaitBoard& board, const v1::Resources& wanted, bool draining) {
  std::vector<SchedulableGroup> fitting;
  for (const SchedulableGroup& group : board.groups) {
    if (Fits(group, wanted) && (board.draining.count(group.id) > 0) == draining) fitting.push_back(group);
  }
  return fitting;
}

std::string NoGroupText(const WaitBoard& board, const v1::Resources& wanted) {
  const std::vector<SchedulableGroup> draining = Fitting(board, wanted, true);
  if (!draining.empty()) {
    return fmt::format("{} that it fits {} draining; `ridgeline worker drain --undo {}` lets jobs onto {} again",
                       Plural(draining.size(), "worker group"), draining.size() == 1 ? "is" : "are", draining[0].id,
                       draining.size() == 1 ? "it" : "that one");
  }
  return WhatIsMissing(wanted, board.groups) + "; `ridgeline worker list` shows the groups";
}

std::string BusyText(const WaitBoard& board, const v1::Resources& wanted, int place, int64_t now_unix_ms) {
  const std::vector<SchedulableGroup> fitting = Fitting(board, wanted, false);
  for (const SchedulableGroup& group : fitting) {
    const auto full = board.full_until_unix_ms.find(group.id);
    if (full == board.full_until_unix_ms.end()) continue;
    return fmt::format("there is no room on the disk of worker group '{}', which is tried again in {}; {}", group.id,
                       Seconds(std::max<int64_t>(0, full->second - now_unix_ms)), AheadText(place));
  }
  return fmt::format("waits for one of {} fitting worker group{} to become free; {}", fitting.size(),
                     fitting.size() == 1 ? "" : "s", AheadText(place));
}

int SmallestFit(const WaitBoard& board, const v1::Resources& wanted) {
  int ranks = 0;
  for (const SchedulableGroup& group : Fitting(board, wanted, false))
    if (ranks == 0 || group.ranks < ranks) ranks = group.ranks;
  return ranks;
}

std::string SweepText(const CoordinatorState& state, const v1::Job& job) {
  const v1::Job* parent = state.FindById(job.parent_id());
  const int limit = parent == nullptr ? 0 : parent->recipe().sweep().max_concurrent();
  return fmt::format("{} of {} run, as many as its sweep.max_concurrent allows",
                     Plural(static_cast<size_t>(limit), "job"), job.parent_id());
}

std::string TextOf(const WaitBoard& board, const CoordinatorState& state, const v1::Job& job,
                   const WaitBoard::Waiting& waiting, int64_t now_unix_ms) {
  const v1::Resources& wanted = state.ResourcesWanted(job);
  const std::string name = QueueOf(job);
  const v1::Queue& queue = state.queues().at(name);
  const WaitBoard::Line& line = board.lines.at(name);
  switch (waiting.kind) {
    case WaitKind::kNoRoom:
      return fmt::format("it is tried again in {}", Seconds(NoRoomWaitMs(job, now_unix_ms)));
    case WaitKind::kNoGroup:
      return NoGroupText(board, wanted);
    case WaitKind::kSweep:
      return SweepText(state, job);
    case WaitKind::kQueueHours:
      return fmt::format("queue '{}' has used {:.1f} of its {:g} rank-hours (max_rank_hours) of the last {:g} hours",
                         name, line.rank_hours, queue.max_rank_hours(), PeriodHours(queue));
    case WaitKind::kQueueTooFew:
      return fmt::format("the smallest worker group that it fits has {} ranks, and queue '{}' may use {} (max_ranks)",
                         SmallestFit(board, wanted), name, queue.max_ranks());
    case WaitKind::kQueueRanks:
      return fmt::format("queue '{}' uses {} of its {} ranks (max_ranks), and the job needs {}; {}", name,
                         line.running_ranks, queue.max_ranks(), SmallestFit(board, wanted), AheadText(waiting.place));
    case WaitKind::kBehindHead:
      return fmt::format("the ranks that queue '{}' has left are kept for {}, which goes first; {}", name,
                         JobId(waiting.other), AheadText(waiting.place));
    case WaitKind::kGroupKept:
      return fmt::format("worker group '{}' is kept for {} of another queue, which fits few and has waited long; {}",
                         waiting.group_id, JobId(waiting.other), AheadText(waiting.place));
    case WaitKind::kGroupPromised:
      return fmt::format("worker group '{}' is being made free for it", waiting.group_id);
    case WaitKind::kGroupBusy:
      break;
  }
  return BusyText(board, wanted, waiting.place, now_unix_ms);
}

}  // namespace

v1::WaitReason WhyWaits(const WaitBoard& board, const CoordinatorState& state, const std::string& job_id,
                        int64_t now_unix_ms) {
  v1::WaitReason reason;
  const v1::Job* job = state.FindById(job_id);
  const int64_t number = ParseJobNumber(job_id);
  const auto found =
      std::lower_bound(board.waiting.begin(), board.waiting.end(), number,
                       [](const WaitBoard::Waiting& waiting, int64_t wanted) { return waiting.number < wanted; });
  if (job == nullptr || job->state() != v1::QUEUED || found == board.waiting.end() || found->number != number)
    return reason;
  reason.set_text(TextOf(board, state, *job, *found, now_unix_ms));
  reason.set_ahead_count(found->place);
  reason.set_expected_start_unix_ms(found->expected_start_unix_ms);
  reason.set_is_expected_by_estimates(found->is_by_estimates);
  const std::vector<int64_t>& line = board.lines.at(QueueOf(*job)).waiting;
  for (int i = 0; i < std::min(found->place, kShownAhead); ++i) reason.add_ahead(JobId(line[static_cast<size_t>(i)]));
  return reason;
}

}  // namespace ridgeline
