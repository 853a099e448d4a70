// SPDX-License-Identifier: Apache-2.0
#include "coordinator/view/queue_reader.h"

#include <fmt/format.h>

#include <map>

namespace ridgeline {
namespace {

void Count(const CoordinatorState& state, std::map<std::string, v1::Queue>* queues) {
  for (const CoordinatorState::ActiveJob& active : state.ActiveJobs()) {
    const auto found = queues->find(QueueOf(*active.job));
    if (found == queues->end()) continue;
    v1::Queue& queue = found->second;
    if (active.job->state() == v1::QUEUED) queue.set_queued_jobs(queue.queued_jobs() + 1);
    const v1::Attempt* live = LiveAttempt(*active.job);
    if (live == nullptr) continue;
    queue.set_running_jobs(queue.running_jobs() + 1);
    queue.set_running_ranks(queue.running_ranks() + live->ranks());
  }
}

// By the weights of the queues that have jobs.
void Share(std::map<std::string, v1::Queue>* queues) {
  const auto has_jobs = [](const v1::Queue& queue) { return queue.queued_jobs() + queue.running_jobs() > 0; };
  double weights = 0;
  for (const auto& [name, queue] : *queues) weights += has_jobs(queue) ? queue.weight() : 0;
  for (auto& [name, queue] : *queues) queue.set_fair_share(has_jobs(queue) ? queue.weight() / weights : 0);
}

}  // namespace

v1::ListQueuesResponse QueueReader::List() const {
  const int64_t now_unix_ms = clock_->WallUnixMs();
  return journal_->Read([&](const CoordinatorState& state) {
    std::map<std::string, v1::Queue> queues = state.queues();
    Count(state, &queues);
    Share(&queues);
    v1::ListQueuesResponse response;
    for (auto& [name, queue] : queues) {
      queue.set_period_hours(PeriodHours(queue));
      queue.set_used_rank_hours(state.RankHours(name, queue.period_hours(), now_unix_ms));
      *response.add_queues() = std::move(queue);
    }
    return response;
  });
}

absl::StatusOr<v1::Queue> QueueReader::Get(const std::string& name) const {
  const v1::ListQueuesResponse all = List();
  for (const v1::Queue& queue : all.queues()) {
    if (queue.name() == name) return queue;
  }
  return absl::NotFoundError(fmt::format("there is no queue '{}'; `ridgeline queue list` shows them", name));
}

v1::WorkerGroup QueueReader::Worker(const std::string& group_id) const {
  for (const Fleet::GroupView& view : fleet_->Groups()) {
    if (view.group.id() == group_id) return view.group;
  }
  v1::WorkerGroup away;
  away.set_id(group_id);
  return away;
}

}  // namespace ridgeline
