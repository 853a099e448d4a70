// SPDX-License-Identifier: Apache-2.0
// Who comes, who goes, and who is there. Leases are in leases.cc, records in records.cc.
#include "coordinator/fleet/fleet.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/status_macros.h"
#include "coordinator/fleet/record_rules.h"

namespace ridgeline {
namespace {

constexpr size_t kRememberedIncarnations = 16;

}  // namespace

std::vector<LiveAttemptView> LiveAttempts(const Journal& journal) {
  return journal.Read([](const CoordinatorState& state) {
    std::vector<LiveAttemptView> live;
    for (const v1::Job* job : state.RunningJobs()) {
      const v1::Attempt* attempt = LiveAttempt(*job);
      live.push_back({{job->id(), attempt->epoch()},
                      attempt->group_id(),
                      attempt->incarnation(),
                      job->cancel_requested(),
                      attempt->preempt_reason()});
    }
    return live;
  });
}

Fleet::Fleet(const FleetOptions& options, Journal* journal, MetricStore* store, FleetObserver* observer)
    : options_(options), journal_(journal), store_(store), observer_(observer) {
  const std::vector<LiveAttemptView> live = LiveAttempts(*journal);
  absl::MutexLock lock(&mutex_);
  reconciled_ms_ = options_.clock->MonotonicMs();
  for (const LiveAttemptView& attempt : live) {
    Group& group = groups_[attempt.group_id];
    group.hello.set_group_id(attempt.group_id);
    group.hello.set_incarnation(attempt.incarnation);
    group.last_heard_ms = reconciled_ms_;
  }
}

absl::Status Fleet::Attach(const v1::Hello& hello, const std::shared_ptr<GroupChannel>& channel) {
  RETURN_IF_ERROR(CheckHello(hello));
  if (!KnowsOurRecipes(hello)) {
    const std::string versions =
        fmt::format("group '{}' is of version {} and this coordinator of {}; they do not mean the same by a recipe",
                    hello.group_id(), hello.version().empty() ? "unknown" : hello.version(), RIDGELINE_VERSION);
    if (hello.job_id().empty())
      return absl::FailedPreconditionError("INCOMPATIBLE: " + versions + "; install one version on both");
    spdlog::warn("{}: it ends its attempt and gets no further job until it is of the same version", versions);
  }
  RETURN_IF_ERROR(Register(hello, channel));
  journal_->changes().Notify();
  return absl::OkStatus();
}

bool Fleet::KnowsOurRecipes(const v1::Hello& hello) const {
  return options_.recipe_schema.empty() || hello.recipe_schema() == options_.recipe_schema || hello.ranks() == 0;
}

absl::Status Fleet::Register(const v1::Hello& hello, const std::shared_ptr<GroupChannel>& channel) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return absl::UnavailableError("the coordinator is stopping");
  Group& group = groups_[hello.group_id()];
  if (std::count(group.superseded.begin(), group.superseded.end(), hello.incarnation()) > 0) {
    return absl::FailedPreconditionError(
        fmt::format("another start of group '{}' has taken its place; give each worker group its own --group name",
                    hello.group_id()));
  }
  const bool same_incarnation = group.hello.incarnation() == hello.incarnation();
  if (!same_incarnation && !group.hello.incarnation().empty()) {
    group.superseded.push_back(group.hello.incarnation());
    if (group.superseded.size() > kRememberedIncarnations) group.superseded.pop_front();
  }
  if (group.channel != nullptr) group.channel->Cancel();
  if (!same_incarnation) {
    group.memory_used_bytes = 0;
    group.device_memory_used_bytes = 0;
    group.collectives.reset();
  }
  group.hello = hello;
  group.channel = channel;
  group.attached_ms = group.last_heard_ms = options_.clock->MonotonicMs();
  group.last_heartbeat_unix_ms = options_.clock->WallUnixMs();
  group.started_here.reset();
  group.leaving = false;
  group.cancel_sent = group.preempt_sent = false;
  group.known.reset();
  if (!hello.job_id().empty()) group.known = AttemptKey{hello.job_id(), hello.epoch()};
  v1::CoordinatorMessage message;
  message.mutable_welcome()->set_coordinator_version(RIDGELINE_VERSION);
  message.mutable_welcome()->set_heartbeat_interval_ms(options_.heartbeat_interval_ms);
  channel->Send(message);
  spdlog::info("group '{}' attached with {} ranks{}", hello.group_id(), hello.ranks(),
               hello.job_id().empty() ? "" : fmt::format(", still at {} (attempt {})", hello.job_id(), hello.epoch()));
  return absl::OkStatus();
}

void Fleet::Detach(const std::string& group_id, const std::shared_ptr<GroupChannel>& channel, bool said_goodbye) {
  const bool has_job =
      journal_->Read([&](const CoordinatorState& state) { return state.JobOnGroup(group_id) != nullptr; });
  {
    absl::MutexLock lock(&mutex_);
    const auto found = groups_.find(group_id);
    if (found == groups_.end() || found->second.channel != channel) return;  // A newer connection took its place.
    found->second.channel = nullptr;
    if (said_goodbye && !has_job) groups_.erase(found);
  }
  spdlog::info("group '{}' {}", group_id, said_goodbye ? "left" : "is out of reach");
  journal_->changes().Notify();
}

void Fleet::WithGroup(const std::string& group_id, const std::function<void(Group&)>& change) {
  absl::MutexLock lock(&mutex_);
  const auto found = groups_.find(group_id);
  if (found != groups_.end()) change(found->second);
}

void Fleet::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  for (auto& [id, group] : groups_) {
    if (group.channel != nullptr) group.channel->Cancel();
  }
}

std::vector<SchedulableGroup> Fleet::SchedulableGroups() const {
  std::vector<SchedulableGroup> groups;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, group] : groups_) {
      if (group.channel == nullptr || HandsIn(group) || group.leaving || LeaseRanOut(group)) continue;
      if (!KnowsOurRecipes(group.hello)) continue;
      groups.push_back(AsSchedulable(group.hello, !group.known.has_value()));
    }
  }
  journal_->Read([&](const CoordinatorState& state) {
    for (SchedulableGroup& group : groups) group.idle = group.idle && state.JobOnGroup(group.id) == nullptr;
    return true;
  });
  return groups;
}

std::vector<Fleet::GroupView> Fleet::Groups() const {
  std::vector<GroupView> views;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, group] : groups_) {
      if (HandsIn(group)) continue;
      GroupView& view = views.emplace_back();
      v1::WorkerGroup& out = view.group;
      out.set_id(id);
      out.set_state(group.channel == nullptr ? v1::UNREACHABLE : group.known.has_value() ? v1::BUSY : v1::IDLE);
      out.set_ranks(group.hello.ranks());
      out.set_host(group.hello.host());
      *out.mutable_devices() = group.hello.devices();
      out.set_memory_bytes(group.hello.memory_bytes());
      *out.mutable_labels() = group.hello.labels();
      out.set_version(group.hello.version());
      out.set_last_heartbeat_unix_ms(group.last_heartbeat_unix_ms);
      out.set_incarnation(group.hello.incarnation());
      const bool is_on_gpus = !group.hello.devices().empty() && group.hello.devices(0).kind() == "cuda";
      view.memory_used_bytes = is_on_gpus ? group.device_memory_used_bytes : group.memory_used_bytes;
    }
  }
  journal_->Read([&](const CoordinatorState& state) {
    for (GroupView& view : views) {
      view.group.set_draining(state.draining_groups().count(view.group.id()) > 0);
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
