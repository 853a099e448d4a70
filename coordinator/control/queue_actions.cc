// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/queue_actions.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "common/printable.h"
#include "common/status_macros.h"
#include "coordinator/control/access.h"

namespace ridgeline {
namespace {

using MaybeEvent = absl::StatusOr<std::optional<v1::Event>>;

constexpr size_t kMaxNameBytes = 63;
constexpr size_t kMaxQueues = 1'000;

// Names are labels of metrics and words on command lines.
absl::Status CheckName(const std::string& name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  if (!name.empty() && name.size() <= kMaxNameBytes && name.find_first_not_of(kAllowed) == std::string::npos)
    return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("'{}' cannot be a queue's name: 1 to {} letters, digits and _ . -",
                                                PrintableLine(name, kMaxNameBytes), kMaxNameBytes));
}

bool IsThere(const Fleet& fleet, const std::string& group_id) {
  const std::vector<Fleet::GroupView> groups = fleet.Groups();
  return std::any_of(groups.begin(), groups.end(), [&](const auto& view) { return view.group.id() == group_id; });
}

}  // namespace

absl::Status QueueActions::SetQueue(const v1::SetQueueRequest& request, const Principal& caller) {
  RETURN_IF_ERROR(CheckName(request.name()));
  return journal_->Commit([&](const CoordinatorState& state) -> MaybeEvent {
    const auto found = state.queues().find(request.name());
    if (found == state.queues().end() && state.queues().size() >= kMaxQueues)
      return absl::ResourceExhaustedError(fmt::format("there are {} queues already, which is the limit", kMaxQueues));
    v1::Event event;
    *event.mutable_actor() = ActorOf(caller);
    v1::Queue& queue = *event.mutable_queue_set()->mutable_queue();
    if (found != state.queues().end()) queue = found->second;
    if (found == state.queues().end()) queue.set_weight(1);
    queue.set_name(request.name());
    if (request.has_weight()) queue.set_weight(request.weight());
    if (request.has_max_ranks()) queue.set_max_ranks(request.max_ranks());
    if (request.has_max_rank_hours()) queue.set_max_rank_hours(request.max_rank_hours());
    if (request.has_period_hours()) queue.set_period_hours(request.period_hours());
    return event;
  });
}

absl::Status QueueActions::DrainWorker(const v1::DrainWorkerRequest& request, const Principal& caller) {
  const bool is_there = IsThere(*fleet_, request.group_id());
  return journal_->Commit([&](const CoordinatorState& state) -> MaybeEvent {
    const bool drains = state.draining_groups().count(request.group_id()) > 0;
    if (!is_there && !drains) {
      return absl::NotFoundError(fmt::format("there is no worker group '{}'; `ridgeline worker list` shows them",
                                             PrintableLine(request.group_id(), 253)));
    }
    if (drains != request.undo()) return std::nullopt;
    v1::Event event;
    *event.mutable_actor() = ActorOf(caller);
    event.mutable_group_drained()->set_group_id(request.group_id());
    event.mutable_group_drained()->set_draining(!request.undo());
    return event;
  });
}

}  // namespace ridgeline
