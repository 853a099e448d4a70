// SPDX-License-Identifier: Apache-2.0
// The gateway's other half: brings what the journal says is live together with who is connected.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/status_macros.h"
#include "coordinator/rpc/worker_gateway.h"

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

// Device and memory that every rank has; an older worker does not say them.
SchedulableGroup AsSchedulable(const v1::Hello& hello, bool idle) {
  SchedulableGroup group{.id = hello.group_id(), .ranks = hello.ranks(), .idle = idle};
  if (hello.devices().empty() || hello.devices_size() != hello.ranks()) return group;
  group.device = hello.devices(0).kind();
  group.rank_memory_bytes = hello.devices(0).memory_bytes();
  for (const v1::Device& device : hello.devices()) {
    if (device.kind() != group.device) group.device.clear();
    group.rank_memory_bytes = std::min(group.rank_memory_bytes, device.memory_bytes());
  }
  return group;
}

}  // namespace

v1::CoordinatorMessage WorkerGateway::StaleMessage(const AttemptKey& key) {
  return CancelMessage(
      key.job_id, key.epoch,
      fmt::format("attempt {} of {} is over; the coordinator takes nothing more from it", key.epoch, key.job_id));
}

void WorkerGateway::Reconcile() {
  ForgiveStall();
  EndLostAttempts(LiveAttempts());
  const std::vector<LiveAttemptView> live = LiveAttempts();
  for (const LiveAttemptView& attempt : live) Deliver(attempt);
  CancelStaleAttempts(live);
  DropExpiredGroups(live);
}

// A coordinator that stood still (a paused machine, SIGSTOP) heard nobody, and the heartbeats of that time are still
// unread: it was not the groups that were silent.
void WorkerGateway::ForgiveStall() {
  absl::MutexLock lock(&mutex_);
  const int64_t now_ms = options_.clock->MonotonicMs();
  const int64_t gap_ms = now_ms - reconciled_ms_;
  reconciled_ms_ = now_ms;
  if (gap_ms <= std::max(options_.lease_ms / 4, kShortestStallMs)) return;
  spdlog::warn("the coordinator stood still for {:.1f} s; that time counts against no lease", gap_ms / 1e3);
  for (auto& [id, group] : groups_) {
    group.last_heard_ms = std::min(now_ms, group.last_heard_ms + gap_ms);
    group.attached_ms = std::min(now_ms, group.attached_ms + gap_ms);
  }
}

std::vector<WorkerGateway::LiveAttemptView> WorkerGateway::LiveAttempts() const {
  return journal_->Read([](const CoordinatorState& state) {
    std::vector<LiveAttemptView> live;
    for (const v1::Job* job : state.RunningJobs()) {
      const v1::Attempt* attempt = LiveAttempt(*job);
      live.push_back(
          {{job->id(), attempt->epoch()}, attempt->group_id(), attempt->incarnation(), job->cancel_requested()});
    }
    return live;
  });
}

void WorkerGateway::EndLostAttempts(const std::vector<LiveAttemptView>& live) {
  for (const LiveAttemptView& attempt : live) {
    const std::optional<std::string> why = WhyLost(attempt);
    if (!why.has_value()) continue;
    v1::Event event;
    event.mutable_attempt_ended()->set_job_id(attempt.key.job_id);
    event.mutable_attempt_ended()->set_epoch(attempt.key.epoch);
    event.mutable_attempt_ended()->set_outcome(v1::LOST);
    event.mutable_attempt_ended()->set_detail(*why);
    const absl::Status status = journal_->Commit(event);  // A result that came first wins; a full disk is tried again.
    spdlog::warn("attempt {} of {} is lost: {}{}", attempt.key.epoch, attempt.key.job_id, *why,
                 status.ok() ? "" : fmt::format(" (not recorded: {})", std::string(status.message())));
  }
}

std::optional<std::string> WorkerGateway::WhyLost(const LiveAttemptView& attempt) const {
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

bool WorkerGateway::LeaseRanOut(const Group& group) const {
  const bool recording = group.session != nullptr && group.recording == group.session.get();
  return !recording && reconciled_ms_ - group.last_heard_ms > options_.lease_ms;
}

// Sends the assignment to a group that does not know of it, and the cancel to one that has not heard of it.
void WorkerGateway::Deliver(const LiveAttemptView& attempt) {
  std::shared_ptr<WorkerSession> session;
  bool assign = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = groups_.find(attempt.group_id);
    if (found == groups_.end()) return;
    Group& group = found->second;
    const bool reachable = group.session != nullptr && group.hello.incarnation() == attempt.incarnation;
    if (!reachable || group.result_pending) return;
    // A group that came back without its attempt may hold the result in its spool, which it sends first.
    const bool spool_is_sent = options_.clock->MonotonicMs() - group.attached_ms >= 2 * options_.heartbeat_interval_ms;
    assign = !group.known.has_value() && (group.started_here == attempt.key || spool_is_sent);
    const bool cancel = attempt.cancel_requested && group.known == attempt.key && !group.cancel_sent;
    if (!assign && !cancel) return;
    session = group.session;
    group.known = attempt.key;
    group.cancel_sent = cancel;
  }
  if (!assign) {
    session->Send(CancelMessage(attempt.key.job_id, attempt.key.epoch, "cancelled on request"));
    return;
  }
  if (SendAssign(*session, attempt.key)) return;
  WithGroup(attempt.group_id, [&](Group& group) {
    if (group.session == session && group.known == attempt.key) group.known.reset();
  });
}

// Returns whether the attempt is still live; one that ended since Reconcile looked must not be handed out again. The
// message is queued under the journal's lock, and thereby before any acknowledgement of the attempt's end.
bool WorkerGateway::SendAssign(WorkerSession& session, const AttemptKey& key) const {
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
    session.Send(std::move(message));
    return true;
  });
}

void WorkerGateway::CancelStaleAttempts(const std::vector<LiveAttemptView>& live) {
  absl::MutexLock lock(&mutex_);
  for (auto& [id, group] : groups_) {
    if (group.session == nullptr || !group.known.has_value() || group.cancel_sent || group.result_pending) continue;
    const bool is_live =
        std::any_of(live.begin(), live.end(), [&key = *group.known, &group_id = id](const LiveAttemptView& attempt) {
          return attempt.key == key && attempt.group_id == group_id;
        });
    if (is_live) continue;
    group.cancel_sent = true;
    group.session->Send(StaleMessage(*group.known));
  }
}

void WorkerGateway::DropExpiredGroups(const std::vector<LiveAttemptView>& live) {
  absl::MutexLock lock(&mutex_);
  for (auto entry = groups_.begin(); entry != groups_.end();) {
    Group& group = entry->second;
    const bool has_job = std::any_of(live.begin(), live.end(),
                                     [&](const LiveAttemptView& attempt) { return attempt.group_id == entry->first; });
    if (!LeaseRanOut(group) || has_job) {
      ++entry;
      continue;
    }
    if (group.session != nullptr) group.session->Cancel();
    entry = groups_.erase(entry);
  }
}

std::vector<SchedulableGroup> WorkerGateway::SchedulableGroups() const {
  std::vector<SchedulableGroup> groups;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, group] : groups_) {
      if (group.session == nullptr || group.leaving || LeaseRanOut(group)) continue;
      groups.push_back(AsSchedulable(group.hello, !group.known.has_value()));
    }
  }
  journal_->Read([&](const CoordinatorState& state) {
    for (SchedulableGroup& group : groups) group.idle = group.idle && state.JobOnGroup(group.id) == nullptr;
    return true;
  });
  return groups;
}

absl::Status WorkerGateway::StartAttempt(const Assignment& assignment) {
  v1::AttemptStarted started;
  int64_t attached_ms = 0;
  started.set_job_id(assignment.job_id);
  started.set_group_id(assignment.group_id);
  {
    absl::MutexLock lock(&mutex_);
    const auto found = groups_.find(assignment.group_id);
    if (found == groups_.end()) {
      return absl::UnavailableError(fmt::format("worker group '{}' left", assignment.group_id));
    }
    started.set_ranks(found->second.hello.ranks());
    started.set_incarnation(found->second.hello.incarnation());
    attached_ms = found->second.attached_ms;
  }
  RETURN_IF_ERROR(journal_->Commit([&](const CoordinatorState& state) -> absl::StatusOr<std::optional<v1::Event>> {
    const v1::Job* job = state.FindById(started.job_id());
    if (job != nullptr) started.set_epoch(NextEpoch(*job));
    v1::Event event;
    *event.mutable_attempt_started() = started;
    return event;
  }));
  WithGroup(assignment.group_id, [&](Group& group) {
    if (group.attached_ms == attached_ms) group.started_here = AttemptKey{started.job_id(), started.epoch()};
  });
  return absl::OkStatus();
}

std::vector<WorkerGateway::GroupView> WorkerGateway::Groups() const {
  std::vector<GroupView> views;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, group] : groups_) {
      GroupView& view = views.emplace_back();
      v1::WorkerGroup& out = view.group;
      out.set_id(id);
      out.set_state(group.session == nullptr ? v1::UNREACHABLE : group.known.has_value() ? v1::BUSY : v1::IDLE);
      out.set_ranks(group.hello.ranks());
      out.set_host(group.hello.host());
      *out.mutable_devices() = group.hello.devices();
      out.set_memory_bytes(group.hello.memory_bytes());
      out.set_version(group.hello.version());
      out.set_last_heartbeat_unix_ms(group.last_heartbeat_unix_ms);
      out.set_incarnation(group.hello.incarnation());
      const bool is_on_gpus = !group.hello.devices().empty() && group.hello.devices(0).kind() == "cuda";
      view.memory_used_bytes = is_on_gpus ? group.device_memory_used_bytes : group.memory_used_bytes;
    }
  }
  journal_->Read([&](const CoordinatorState& state) {
    for (GroupView& view : views) {
      const v1::Job* job = state.JobOnGroup(view.group.id());
      if (job == nullptr) continue;
      view.group.set_job_id(job->id());
      if (view.group.state() == v1::IDLE) view.group.set_state(v1::BUSY);
      // After a restart the group itself has not been heard yet; the journal knows its size.
      if (view.group.ranks() == 0) view.group.set_ranks(LiveAttempt(*job)->ranks());
    }
    return true;
  });
  return views;
}

}  // namespace ridgeline
