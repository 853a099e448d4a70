// SPDX-License-Identifier: Apache-2.0
// Leases, and what each group must be told.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "coordinator/fleet/fleet.h"

namespace ridgeline {
namespace {

// Shorter gaps between two calls of Reconcile are the scheduler's tick and the load of the machine.
constexpr int64_t kShortestStallMs = 1'000;

v1::CoordinatorMessage CancelMessage(const std::string& job_id, int64_t epoch, const std::string& reason) {
  v1::CoordinatorMessage message;
  message.mutable_cancel()->set_job_id(job_id);
  message.mutable_cancel()->set_epoch(epoch);
  message.mutable_cancel()->set_reason(reason);
  return message;
}

// A group has one live attempt at most.
absl::flat_hash_map<std::string, AttemptKey> ByGroup(const std::vector<LiveAttemptView>& live) {
  absl::flat_hash_map<std::string, AttemptKey> by_group;
  for (const LiveAttemptView& attempt : live) by_group[attempt.group_id] = attempt.key;
  return by_group;
}

v1::CoordinatorMessage PreemptMessage(const LiveAttemptView& attempt) {
  v1::CoordinatorMessage message;
  message.mutable_preempt()->set_job_id(attempt.key.job_id);
  message.mutable_preempt()->set_epoch(attempt.key.epoch);
  message.mutable_preempt()->set_reason(attempt.preempt_reason);
  return message;
}

}  // namespace

v1::CoordinatorMessage Fleet::StaleMessage(const AttemptKey& key) {
  return CancelMessage(
      key.job_id, key.epoch,
      fmt::format("attempt {} of {} is over; the coordinator takes nothing more from it", key.epoch, key.job_id));
}

void Fleet::ForgiveStall() {
  absl::MutexLock lock(&mutex_);
  const int64_t now_ms = options_.clock->MonotonicMs();
  const int64_t gap_ms = now_ms - reconciled_ms_;
  reconciled_ms_ = now_ms;
  if (gap_ms <= std::max(options_.lease_ms / 4, kShortestStallMs)) return;
  spdlog::warn("the coordinator stood still for {:.1f} s; that time counts against no lease", gap_ms / 1e3);
  for (auto& [id, group] : groups_) {
    group.last_heard_ms = std::min(now_ms, group.last_heard_ms + gap_ms);
    group.attached_ms = std::min(now_ms, group.attached_ms + gap_ms);
    group.asked_ms = std::min(now_ms, group.asked_ms + gap_ms);
  }
}

std::optional<std::string> Fleet::WhyLost(const LiveAttemptView& attempt) const {
  absl::MutexLock lock(&mutex_);
  const auto found = groups_.find(attempt.group_id);
  if (found == groups_.end()) return fmt::format("worker group '{}' is gone", attempt.group_id);
  const Group& group = found->second;
  if (group.hello.incarnation() != attempt.incarnation) {
    return fmt::format("worker group '{}' was started anew", attempt.group_id);
  }
  if (group.result_pending || !LeaseRanOut(group)) return std::nullopt;
  return fmt::format("no sign of life from worker group '{}' for {:.1f} s", attempt.group_id,
                     (reconciled_ms_ - group.last_heard_ms) / 1e3);
}

bool Fleet::LeaseRanOut(const Group& group) const {
  const bool recording = group.channel != nullptr && group.recording == group.channel.get();
  return !recording && reconciled_ms_ - group.last_heard_ms > options_.lease_ms;
}

std::optional<double> Fleet::OverdueSeconds(const LiveAttemptView& attempt) const {
  absl::MutexLock lock(&mutex_);
  const auto found = groups_.find(attempt.group_id);
  if (found == groups_.end()) return std::nullopt;
  const Group& group = found->second;
  const bool was_asked = group.known == attempt.key && (group.cancel_sent || group.preempt_sent);
  if (!was_asked || group.result_pending || group.channel == nullptr) return std::nullopt;
  const int64_t waited_ms = reconciled_ms_ - group.asked_ms;
  return waited_ms > options_.answer_grace_ms ? std::optional(waited_ms / 1e3) : std::nullopt;
}

void Fleet::Deliver(const LiveAttemptView& attempt) {
  std::shared_ptr<GroupChannel> channel;
  v1::CoordinatorMessage message;
  bool assign = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = groups_.find(attempt.group_id);
    if (found == groups_.end()) return;
    Group& group = found->second;
    const bool reachable = group.channel != nullptr && group.hello.incarnation() == attempt.incarnation;
    if (!reachable || group.result_pending) return;
    // A group that came back without its attempt may hold the result in its spool, which it sends first.
    const bool spool_is_sent = options_.clock->MonotonicMs() - group.attached_ms >= 2 * options_.heartbeat_interval_ms;
    assign = !group.known.has_value() && (group.started_here == attempt.key || spool_is_sent);
    const bool knows = group.known == attempt.key && !group.cancel_sent;
    const bool cancel = attempt.cancel_requested && knows;
    const bool preempt = !attempt.preempt_reason.empty() && knows && !cancel && !group.preempt_sent;
    if (!assign && !cancel && !preempt) return;
    channel = group.channel;
    if (assign) group.known = attempt.key;
    if (!assign && !group.cancel_sent && !group.preempt_sent) group.asked_ms = options_.clock->MonotonicMs();
    group.cancel_sent = cancel;
    group.preempt_sent = preempt;
    if (preempt) message = PreemptMessage(attempt);
    if (cancel) message = CancelMessage(attempt.key.job_id, attempt.key.epoch, "cancelled on request");
  }
  if (!assign) return channel->Send(std::move(message));
  if (SendAssign(*channel, attempt.key)) return;
  WithGroup(attempt.group_id, [&](Group& group) {
    if (group.channel == channel && group.known == attempt.key) group.known.reset();
  });
}

// Returns whether the attempt is still live; one that ended since Reconcile looked must not be handed out again. The
// message is queued under the journal's lock, and thereby before any acknowledgement of the attempt's end.
bool Fleet::SendAssign(GroupChannel& channel, const AttemptKey& key) const {
  return journal_->Read([&](const CoordinatorState& state) {
    const v1::Job* job = state.FindById(key.job_id);
    const v1::Attempt* attempt = LiveAttempt(*job);
    if (attempt == nullptr || attempt->epoch() != key.epoch) return false;
    v1::CoordinatorMessage message;
    v1::Assign& assign = *message.mutable_assign();
    assign.set_job_id(key.job_id);
    assign.set_epoch(key.epoch);
    *assign.mutable_recipe() = state.RecipeOf(*job);
    if (job->has_last_checkpoint()) *assign.mutable_resume_from() = job->last_checkpoint();
    assign.set_stop_at_step(job->stop_at_step());
    channel.Send(std::move(message));
    return true;
  });
}

void Fleet::CancelStaleAttempts(const std::vector<LiveAttemptView>& live) {
  const absl::flat_hash_map<std::string, AttemptKey> live_on = ByGroup(live);
  absl::MutexLock lock(&mutex_);
  for (auto& [id, group] : groups_) {
    if (group.channel == nullptr || !group.known.has_value() || group.cancel_sent || group.result_pending) continue;
    const auto found = live_on.find(id);
    if (found != live_on.end() && found->second == *group.known) continue;
    group.cancel_sent = true;
    group.channel->Send(StaleMessage(*group.known));
  }
}

void Fleet::DropExpiredGroups(const std::vector<LiveAttemptView>& live) {
  const absl::flat_hash_map<std::string, AttemptKey> live_on = ByGroup(live);
  absl::MutexLock lock(&mutex_);
  for (auto entry = groups_.begin(); entry != groups_.end();) {
    Group& group = entry->second;
    if (!LeaseRanOut(group) || live_on.count(entry->first) > 0) {
      ++entry;
      continue;
    }
    if (group.channel != nullptr) group.channel->Cancel();
    entry = groups_.erase(entry);
  }
}

absl::StatusOr<v1::AttemptStarted> Fleet::AttemptOn(const std::string& group_id, int64_t* attached_ms) const {
  absl::MutexLock lock(&mutex_);
  const auto found = groups_.find(group_id);
  if (found == groups_.end()) return absl::UnavailableError(fmt::format("worker group '{}' left", group_id));
  v1::AttemptStarted started;
  started.set_group_id(group_id);
  started.set_ranks(found->second.hello.ranks());
  started.set_incarnation(found->second.hello.incarnation());
  *attached_ms = found->second.attached_ms;
  return started;
}

void Fleet::NoteStarted(const v1::AttemptStarted& started, int64_t attached_ms) {
  WithGroup(started.group_id(), [&](Group& group) {
    if (group.attached_ms == attached_ms) group.started_here = AttemptKey{started.job_id(), started.epoch()};
  });
}

}  // namespace ridgeline
