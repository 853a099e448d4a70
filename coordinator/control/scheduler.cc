// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/scheduler.h"

#include <algorithm>
#include <utility>

#include "coordinator/control/fit.h"
#include "coordinator/control/scheduler_pass.h"

namespace ridgeline {
namespace {

constexpr int64_t kHoursDueMs = 60'000;  // How often a queue without rank-hours is looked at again.
constexpr size_t kForecastJobs = 200;

}  // namespace

Decision Decide(const CoordinatorState& state, const FleetView& fleet, const SchedulerMemory& memory,
                int64_t now_unix_ms) {
  return SchedulerPass(state, fleet, memory, now_unix_ms).Run();
}

Decision SchedulerPass::Run() {
  GatherGroups();
  GatherQueues();
  GatherJobs();
  EndAtTimeLimits();
  KeepPromises();
  KeepGroups();
  Place();
  Preempt();
  Forecast();
  Remember();
  MakeBoard();
  return std::move(decision_);
}

void SchedulerPass::DueAt(int64_t ms) {
  if (ms <= now_ms_ || ms == kNever) return;
  int64_t& due = decision_.next_due_unix_ms;
  due = due == 0 ? ms : std::min(due, ms);
}

void SchedulerPass::GatherGroups() {
  for (const SchedulableGroup& view : fleet_.groups) {
    Group& group = groups_.emplace_back();
    group.view = &view;
    group.draining = state_.draining_groups().count(view.id) > 0;
    group.idle = view.idle && !group.draining;
  }
  std::sort(groups_.begin(), groups_.end(), [](const Group& a, const Group& b) {
    return a.view->ranks != b.view->ranks ? a.view->ranks < b.view->ranks : a.view->id < b.view->id;
  });
  for (size_t i = 0; i < groups_.size(); ++i) group_by_id_[groups_[i].view->id] = static_cast<int>(i);
  for (const Group& group : groups_) shared_ranks_ += group.draining ? 0 : group.view->ranks;
}

void SchedulerPass::GatherQueues() {
  for (const auto& [name, limits] : state_.queues()) {
    queue_by_name_[name] = static_cast<int>(queues_.size());
    Queue& queue = queues_.emplace_back();
    queue.limits = &limits;
    queue.name = name;
  }
}

int SchedulerPass::QueueIndex(const std::string& name) {
  const auto found = queue_by_name_.find(name);
  return found == queue_by_name_.end() ? queue_by_name_.at(kDefaultQueue) : found->second;
}

int SchedulerPass::RequestOf(const v1::Resources& wanted) {
  std::string key = wanted.device();
  const int ranks = wanted.ranks();
  const double memory = wanted.memory();
  key.append(reinterpret_cast<const char*>(&ranks), sizeof ranks);
  key.append(reinterpret_cast<const char*>(&memory), sizeof memory);
  const std::map<std::string, std::string> labels(wanted.labels().begin(), wanted.labels().end());
  for (const auto& [name, value] : labels) key += name + "=" + value + "\n";
  const auto [found, is_new] = request_by_key_.try_emplace(std::move(key), static_cast<int>(requests_.size()));
  if (!is_new) return found->second;
  Request& request = requests_.emplace_back();
  for (size_t i = 0; i < groups_.size(); ++i) {
    request.fits.push_back(!groups_[i].draining && Fits(*groups_[i].view, wanted));
    if (request.fits.back()) request.fitting.push_back(static_cast<int>(i));
  }
  return found->second;
}

void SchedulerPass::AddRunning(const CoordinatorState::ActiveJob& active) {
  const v1::Attempt* live = LiveAttempt(*active.job);
  if (live == nullptr) return;
  Running& running = running_.emplace_back();
  running.job = active.job;
  running.queue = QueueIndex(QueueOf(*active.job));
  running.ranks = live->ranks();
  running.asked = !live->preempt_reason().empty() || active.job->cancel_requested();
  queues_[static_cast<size_t>(running.queue)].running_ranks += running.ranks;
  if (!active.job->parent_id().empty()) ++sweeps_[active.job->parent_id()].running;
  if (const int64_t limit_ms = TimeLimitMs(*active.wanted); limit_ms > 0)
    running.end_ms = now_ms_ + std::max<int64_t>(0, limit_ms - TimeUsedMs(*active.job, now_ms_));
  bool by_estimates = false;
  if (const auto found = fleet_.remaining_seconds.find(active.job->id()); found != fleet_.remaining_seconds.end()) {
    const int64_t estimate_ms = now_ms_ + static_cast<int64_t>(std::max(0.0, found->second) * 1e3);
    by_estimates = estimate_ms < running.end_ms;
    running.end_ms = std::min(running.end_ms, estimate_ms);
  }
  const auto found = group_by_id_.find(live->group_id());
  if (found == group_by_id_.end()) return;
  running.group = found->second;
  Group& group = groups_[static_cast<size_t>(found->second)];
  group.idle = false;
  group.free_ms = running.end_ms;
  group.free_by_estimates = by_estimates;
}

void SchedulerPass::GatherJobs() {
  for (const CoordinatorState::ActiveJob& active : state_.ActiveJobs()) {
    if (active.job->state() == v1::RUNNING) AddRunning(active);
    if (active.job->state() != v1::QUEUED) continue;
    Job& job = jobs_.emplace_back();
    job.number = active.number;
    job.job = active.job;
    job.wanted = active.wanted;
    job.queue = QueueIndex(QueueOf(*active.job));
    job.request = RequestOf(*active.wanted);
    if (const int64_t limit_ms = TimeLimitMs(*active.wanted); limit_ms > 0)
      job.left_ms = std::max<int64_t>(1, limit_ms - TimeUsedMs(*active.job, now_ms_));
    queues_[static_cast<size_t>(job.queue)].line.push_back(static_cast<int>(jobs_.size()) - 1);
    if (!active.job->parent_id().empty()) sweeps_.try_emplace(active.job->parent_id());
    const int64_t wait_ms = NoRoomWaitMs(*active.job, now_ms_);
    if (wait_ms == 0 || active.job->attempts().empty()) continue;
    int64_t& until_ms = full_until_ms_[active.job->attempts().rbegin()->group_id()];
    until_ms = std::max(until_ms, now_ms_ + wait_ms);
    DueAt(now_ms_ + wait_ms);
  }
  for (auto& [parent_id, sweep] : sweeps_) {
    if (const v1::Job* parent = state_.FindById(parent_id))
      sweep.max_concurrent = parent->recipe().sweep().max_concurrent();
  }
  for (Group& group : groups_) group.idle = group.idle && full_until_ms_.count(group.view->id) == 0;
  const auto busy = static_cast<size_t>(
      std::count_if(queues_.begin(), queues_.end(), [](const Queue& queue) { return !queue.line.empty(); }));
  for (Queue& queue : queues_) {
    std::stable_sort(queue.line.begin(), queue.line.end(), [&](int a, int b) {
      return jobs_[static_cast<size_t>(a)].job->priority() > jobs_[static_cast<size_t>(b)].job->priority();
    });
    const double max_hours = queue.limits->max_rank_hours();
    if (queue.line.empty() || (busy < 2 && max_hours == 0)) continue;
    queue.rank_hours = state_.RankHours(queue.name, PeriodHours(*queue.limits), now_ms_);
    queue.hours_used_up = max_hours > 0 && queue.rank_hours >= max_hours;
    if (queue.hours_used_up) DueAt(now_ms_ + kHoursDueMs);
  }
}

// Groups that were made free for a job go to it, before jobs of other queues.
void SchedulerPass::KeepPromises() {
  for (const auto& [group_id, promise] : memory_.promises) {
    const auto group = group_by_id_.find(group_id);
    const auto job = std::lower_bound(jobs_.begin(), jobs_.end(), promise.number,
                                      [](const Job& a, int64_t number) { return a.number < number; });
    const int64_t until_ms = std::min(promise.until_unix_ms, now_ms_ + kPromiseMs);
    if (group == group_by_id_.end() || job == jobs_.end() || job->number != promise.number) continue;
    if (until_ms <= now_ms_ || job->started) continue;
    Group& kept = groups_[static_cast<size_t>(group->second)];
    const Queue& queue = queues_[static_cast<size_t>(job->queue)];
    WaitKind why{};
    if (!Fit(*job, group->second)) continue;
    if (!IsEligible(*job, &why)) continue;
    if (!kept.idle) {
      kept.promised_to = promise.number;
      decision_.memory.promises[group_id] = {promise.number, until_ms};
      DueAt(until_ms);
    } else if (!LacksRanks(queue, kept.view->ranks)) {
      Start(FirstThatFits(queue, group->second), group->second);
    }
  }
}

// Of the queue's line: somebody of more priority may have come since. REQUIRES: there is one.
int SchedulerPass::FirstThatFits(const Queue& queue, int group) const {
  return *std::find_if(queue.line.begin(), queue.line.end(), [&](int index) {
    const Job& job = jobs_[static_cast<size_t>(index)];
    WaitKind why{};
    return !job.started && Fit(job, group) && IsEligible(job, &why);
  });
}

bool SchedulerPass::IsEligible(const Job& job, WaitKind* why) const {
  const Queue& queue = queues_[static_cast<size_t>(job.queue)];
  if (NoRoomWaitMs(*job.job, now_ms_) > 0) {
    *why = WaitKind::kNoRoom;
  } else if (requests_[static_cast<size_t>(job.request)].fitting.empty()) {
    *why = WaitKind::kNoGroup;
  } else if (queue.hours_used_up) {
    *why = WaitKind::kQueueHours;
  } else if (queue.limits->max_ranks() > 0 && SmallestRanks(job) > queue.limits->max_ranks()) {
    *why = WaitKind::kQueueTooFew;
  } else if (!job.job->parent_id().empty()) {
    const Sweep& sweep = sweeps_.at(job.job->parent_id());
    *why = WaitKind::kSweep;
    return sweep.max_concurrent == 0 || sweep.running < sweep.max_concurrent;
  } else {
    return true;
  }
  return false;
}

// Of the groups that it fits. REQUIRES: there is one.
int SchedulerPass::SmallestRanks(const Job& job) const {
  const int group = requests_[static_cast<size_t>(job.request)].fitting.front();
  return groups_[static_cast<size_t>(group)].view->ranks;
}

bool SchedulerPass::LacksRanks(const Queue& queue, int ranks) const {
  return queue.limits->max_ranks() > 0 && queue.running_ranks + ranks > queue.limits->max_ranks();
}

int64_t SchedulerPass::HeadSince(const Queue& queue, int64_t number) const {
  const auto found = memory_.heads.find(queue.name);
  if (found == memory_.heads.end() || found->second.number != number) return now_ms_;
  return std::min(found->second.since_unix_ms, now_ms_);  // The wall clock may have jumped back.
}

// For heads that have waited long and lack a group, not ranks of their queue.
void SchedulerPass::KeepGroups() {
  for (size_t q = 0; q < queues_.size(); ++q) {
    const Queue& queue = queues_[q];
    WaitKind why{};
    const auto head = std::find_if(queue.line.begin(), queue.line.end(), [&](int index) {
      const Job& job = jobs_[static_cast<size_t>(index)];
      return !job.started && IsEligible(job, &why);
    });
    if (head == queue.line.end()) continue;
    const Job& job = jobs_[static_cast<size_t>(*head)];
    if (now_ms_ - HeadSince(queue, job.number) < kHeadPatienceMs || LacksRanks(queue, SmallestRanks(job))) continue;
    Kept& kept = kept_.emplace_back();
    kept.queue = static_cast<int>(q);
    kept.job = *head;
    kept.groups.resize(groups_.size());
    for (const int group : requests_[static_cast<size_t>(job.request)].fitting)
      kept.groups[static_cast<size_t>(group)] = true;
  }
}

// The queue that would have the least usage for its weight with its next job; among equals, the one that has had least
// lately.
SchedulerPass::Queue* SchedulerPass::NextQueue() {
  Queue* next = nullptr;
  const auto key = [this](const Queue& queue) {
    const Job& job = jobs_[static_cast<size_t>(queue.line[queue.next])];
    const int ranks = requests_[static_cast<size_t>(job.request)].fitting.empty() ? 0 : SmallestRanks(job);
    const double weight = queue.limits->weight();
    return std::make_pair((queue.running_ranks + ranks) / weight, queue.rank_hours / weight);
  };
  for (Queue& queue : queues_) {
    if (queue.next < queue.line.size() && (next == nullptr || key(queue) < key(*next))) next = &queue;
  }
  return next;
}

void SchedulerPass::Place() {
  while (Queue* queue = NextQueue()) Consider(queue->line[queue->next++]);
}

void SchedulerPass::Consider(int index) {
  Job& job = jobs_[static_cast<size_t>(index)];
  Queue& queue = queues_[static_cast<size_t>(job.queue)];
  if (job.started) return;
  WaitKind why{};
  if (!IsEligible(job, &why)) {
    job.kind = why;
    return;
  }
  if (LacksRanks(queue, SmallestRanks(job))) {
    if (queue.blocked == kNone) Block(&queue, index);
    return Wait(index, WaitKind::kQueueRanks);
  }
  if (queue.blocked != kNone && !MayPassBlocked(queue, job)) {
    job.other = jobs_[static_cast<size_t>(queue.blocked)].number;
    return Wait(index, WaitKind::kBehindHead);
  }
  const int group = FreeGroup(&job);
  if (group != kNone) return Start(index, group);
  Wait(index, job.group == kNone ? WaitKind::kGroupBusy : WaitKind::kGroupKept);
}

// Finds out when the queue will have enough ranks for the job.
void SchedulerPass::Block(Queue* queue, int index) {
  queue->blocked = index;
  const int q = jobs_[static_cast<size_t>(index)].queue;
  std::vector<std::pair<int64_t, int>> ends;
  for (const Running& running : running_)
    if (running.queue == q) ends.emplace_back(running.end_ms, running.ranks);
  std::sort(ends.begin(), ends.end());
  const int needed = SmallestRanks(jobs_[static_cast<size_t>(index)]);
  int ranks = queue->running_ranks;
  queue->shadow_ms = kNever;
  for (const auto& [end_ms, freed] : ends) {
    ranks -= freed;
    if (ranks + needed > queue->limits->max_ranks()) continue;
    queue->shadow_ms = end_ms;
    return;
  }
}

// Whether the job will have ended when the ranks that the blocked one needs are there. Where nobody can say when that
// is, the blocked one is patient for a while.
bool SchedulerPass::MayPassBlocked(const Queue& queue, const Job& job) const {
  const int64_t number = jobs_[static_cast<size_t>(queue.blocked)].number;
  if (queue.shadow_ms == kNever) return now_ms_ - HeadSince(queue, number) < kHeadPatienceMs;
  return job.left_ms > 0 && now_ms_ + job.left_ms <= queue.shadow_ms;
}

// Of another queue, a job that fits fewer groups, this one among them.
const SchedulerPass::Kept* SchedulerPass::KeeperOf(int group, const Job& job) const {
  const size_t choices = requests_[static_cast<size_t>(job.request)].fitting.size();
  for (const Kept& kept : kept_) {
    const Job& head = jobs_[static_cast<size_t>(kept.job)];
    const size_t head_choices = requests_[static_cast<size_t>(head.request)].fitting.size();
    if (kept.queue != job.queue && !head.started && kept.groups[static_cast<size_t>(group)] && head_choices < choices)
      return &kept;
  }
  return nullptr;
}

// The smallest idle group that the job may have, or kNone; then `group` and `other` of the job name one that is kept.
int SchedulerPass::FreeGroup(Job* job) {
  Request& request = requests_[static_cast<size_t>(job->request)];
  const Queue& queue = queues_[static_cast<size_t>(job->queue)];
  const auto idle = [&](size_t i) { return groups_[static_cast<size_t>(request.fitting[i])].idle; };
  while (request.first_idle < request.fitting.size() && !idle(request.first_idle)) ++request.first_idle;
  for (size_t i = request.first_idle; i < request.fitting.size(); ++i) {
    const int group = request.fitting[i];
    if (!idle(i)) continue;
    if (LacksRanks(queue, groups_[static_cast<size_t>(group)].view->ranks)) return kNone;
    const Kept* keeper = KeeperOf(group, *job);
    if (keeper == nullptr) return group;
    job->group = group;
    job->other = jobs_[static_cast<size_t>(keeper->job)].number;
  }
  return kNone;
}

void SchedulerPass::Start(int index, int group) {
  Job& job = jobs_[static_cast<size_t>(index)];
  Group& taken = groups_[static_cast<size_t>(group)];
  job.started = true;
  taken.idle = false;
  taken.free_ms = job.left_ms > 0 ? now_ms_ + job.left_ms : kNever;
  queues_[static_cast<size_t>(job.queue)].running_ranks += taken.view->ranks;
  if (!job.job->parent_id().empty()) ++sweeps_.at(job.job->parent_id()).running;
  running_.push_back({job.job, job.queue, group, taken.view->ranks, taken.free_ms, true});
  decision_.starts.push_back({job.job->id(), taken.view->id});
}

void SchedulerPass::Wait(int index, WaitKind kind) {
  Job& job = jobs_[static_cast<size_t>(index)];
  Queue& queue = queues_[static_cast<size_t>(job.queue)];
  job.kind = kind;
  job.waits_for_ranks = true;
  if (queue.head == kNone) queue.head = index;
  considered_.push_back(index);
}

// Each of those that go first takes the group that is free first; behind one that has no time limit nobody can say.
void SchedulerPass::Forecast() {
  for (Group& group : groups_) {
    if (group.idle) group.free_ms = now_ms_;
  }
  for (size_t i = 0; i < std::min(considered_.size(), kForecastJobs); ++i) {
    Job& job = jobs_[static_cast<size_t>(considered_[i])];
    const Queue& queue = queues_[static_cast<size_t>(job.queue)];
    Group* first = nullptr;
    for (const int index : requests_[static_cast<size_t>(job.request)].fitting) {
      Group& group = groups_[static_cast<size_t>(index)];
      if (first == nullptr || group.free_ms < first->free_ms) first = &group;
    }
    const bool of_queue = queue.blocked != kNone && queue.shadow_ms == kNever;
    if (first->free_ms == kNever || of_queue || job.kind == WaitKind::kBehindHead) continue;
    job.expect_ms = std::max(first->free_ms, now_ms_);
    if (job.kind == WaitKind::kQueueRanks) job.expect_ms = std::max(job.expect_ms, queue.shadow_ms);
    job.expect_by_estimates = first->free_by_estimates;
    first->free_ms = job.left_ms > 0 ? job.expect_ms + job.left_ms : kNever;
  }
}

void SchedulerPass::Remember() {
  for (const Queue& queue : queues_) {
    if (queue.head == kNone) continue;
    const int64_t number = jobs_[static_cast<size_t>(queue.head)].number;
    const int64_t since_ms = HeadSince(queue, number);
    decision_.memory.heads[queue.name] = {number, since_ms};
    DueAt(since_ms + kHeadPatienceMs);
  }
}

void SchedulerPass::MakeBoard() {
  auto board = std::make_shared<WaitBoard>();
  board->groups = fleet_.groups;
  board->draining = state_.draining_groups();
  board->full_until_unix_ms = full_until_ms_;
  std::vector<int> places(jobs_.size());
  for (const Queue& queue : queues_) {
    WaitBoard::Line& line = board->lines[queue.name];
    line.running_ranks = queue.running_ranks;
    line.rank_hours = queue.rank_hours;
    for (const int index : queue.line) {
      const Job& job = jobs_[static_cast<size_t>(index)];
      places[static_cast<size_t>(index)] = static_cast<int>(line.waiting.size());
      if (job.waits_for_ranks) line.waiting.push_back(job.number);
    }
  }
  for (size_t i = 0; i < jobs_.size(); ++i) {
    const Job& job = jobs_[i];
    if (job.started) continue;
    board->waiting.push_back({job.number, job.kind, places[i], job.expect_ms, job.expect_by_estimates, job.other,
                              job.group == kNone ? "" : groups_[static_cast<size_t>(job.group)].view->id});
  }
  decision_.board = std::move(board);
}

}  // namespace ridgeline
