// SPDX-License-Identifier: Apache-2.0
#include "coordinator/view/watched_jobs.h"

#include <google/protobuf/util/message_differencer.h>

#include <utility>
#include <vector>

#include "common/status_macros.h"

namespace ridgeline {
namespace {

constexpr int kRefreshesOfQuietJobs = 5;  // Why a queued job waits changes without an event.

}  // namespace

absl::StatusOr<WatchedJobs::View> WatchedJobs::Add(const std::string& id_or_name) {
  ASSIGN_OR_RETURN(v1::Job job, reader_->Get(id_or_name));
  const std::string id = job.id();
  absl::MutexLock lock(&mutex_);
  Entry& entry = entries_[id];
  ++entry.watchers;
  // What others are shown stays until the next refresh; it is at most a moment old.
  if (entry.view.job == nullptr) entry.view = {std::make_shared<v1::Job>(std::move(job)), 1};
  return entry.view;
}

void WatchedJobs::Remove(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(job_id);
  if (found != entries_.end() && --found->second.watchers == 0) entries_.erase(found);
}

WatchedJobs::View WatchedJobs::Newest(const std::string& job_id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(job_id);
  return found == entries_.end() ? View() : found->second.view;
}

void WatchedJobs::Refresh() {
  const int64_t sequence = journal_->Read([](const CoordinatorState& state) { return state.sequence(); });
  const bool all = sequence != sequence_ || ++refreshes_ % kRefreshesOfQuietJobs == 0;
  sequence_ = sequence;
  std::vector<std::string> due;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, entry] : entries_) {
      if (all || entry.view.job->state() == v1::RUNNING) due.push_back(id);
    }
  }
  for (const std::string& id : due) {
    if (absl::StatusOr<v1::Job> job = reader_->Get(id); job.ok()) Update(id, *std::move(job));
  }
}

void WatchedJobs::Update(const std::string& job_id, v1::Job job) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(job_id);
  if (found == entries_.end()) return;
  View& view = found->second.view;
  if (google::protobuf::util::MessageDifferencer::Equals(job, *view.job)) return;
  view = {std::make_shared<v1::Job>(std::move(job)), view.version + 1};
}

}  // namespace ridgeline
