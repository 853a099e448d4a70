// SPDX-License-Identifier: Apache-2.0
// What connected groups send: heartbeats, and records, which are durable before they are acknowledged.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/status_macros.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/fleet/record_rules.h"
#include "coordinator/fleet/result_rules.h"

namespace ridgeline {
namespace {

bool IsRecord(const v1::WorkerMessage& message) {
  return !message.has_hello() && !message.has_heartbeat() && message.kind_case() != v1::WorkerMessage::KIND_NOT_SET;
}

bool IsStale(const absl::Status& status) { return absl::IsFailedPrecondition(status) || absl::IsNotFound(status); }

// The record is not worth to be sent again, whatever comes.
bool IsRefusal(const absl::Status& status) {
  return IsStale(status) || absl::IsPermissionDenied(status) || absl::IsInvalidArgument(status);
}

// Of the job, as CheckHeldBy found it.
struct HeldJob {
  int64_t steps = 0;
  int ranks = 0;
  std::string queue;
};

absl::StatusOr<HeldJob> FindHeld(const CoordinatorState& state, const CoordinatorState::Holder& sender,
                                 const std::string& job_id, int64_t epoch) {
  RETURN_IF_ERROR(state.CheckHeldBy(sender, job_id, epoch));
  const v1::Job& job = *state.FindById(job_id);
  return HeldJob{state.RecipeOf(job, {"training"}).training().steps(), LiveAttempt(job)->ranks(), QueueOf(job)};
}

std::string ActorName(const Fleet::Sender& sender) { return fmt::format("group {}", sender.group_id); }

// By the coordinator, and not by SIGTERM. Of an attempt that is over, too: its result may come a second time.
bool WasAskedToEnd(const CoordinatorState& state, const std::string& job_id, int64_t epoch) {
  const v1::Job* job = state.FindById(job_id);
  if (job == nullptr) return false;
  return std::any_of(job->attempts().rbegin(), job->attempts().rend(), [&](const v1::Attempt& attempt) {
    return attempt.epoch() == epoch && !attempt.preempt_reason().empty();
  });
}

}  // namespace

absl::Status Fleet::Handle(const Sender& sender, GroupChannel& channel, const v1::WorkerMessage& message) {
  const std::string& group_id = sender.group_id;
  BeginMessage(group_id, channel, message);
  if (message.has_hello()) return absl::InvalidArgumentError("a second Hello on one stream");
  if (message.has_heartbeat()) {
    const absl::Status counted = CountCollectives(sender, channel, message.heartbeat());
    if (!counted.ok()) NoteRefusal(sender, counted);
  }
  if (!IsRecord(message)) return absl::OkStatus();
  const absl::Status status = HandleRecord(sender, message);
  EndRecord(group_id, channel);
  // Without an Ack the record stays in the worker's spool, and it comes again with the next stream.
  if (!status.ok() && !IsRefusal(status)) return status;
  if (!status.ok()) NoteRefusal(sender, status);
  if (IsStale(status) || absl::IsPermissionDenied(status)) TellStale(group_id, channel, message);
  if (message.sequence() > 0) {
    v1::CoordinatorMessage ack;
    ack.mutable_ack()->set_sequence(message.sequence());
    channel.Send(ack);
  }
  return absl::OkStatus();
}

// Each incarnation counts from its own start. What it did before its first heartbeat here is left out: after a restart
// of this program it would come a second time.
absl::Status Fleet::CountCollectives(const Sender& sender, const GroupChannel& channel,
                                     const v1::Heartbeat& heartbeat) {
  RETURN_IF_ERROR(CheckCollectives(heartbeat.collectives()));
  absl::StatusOr<CollectiveCountList> added = CollectiveCountList();
  WithGroup(sender.group_id, [&](Group& group) {
    if (group.channel.get() != &channel) return;  // A newer stream took this one's place.
    added = CollectivesSince(group.collectives.value_or(heartbeat.collectives()), heartbeat.collectives());
    if (added.ok()) group.collectives = heartbeat.collectives();
  });
  RETURN_IF_ERROR(added.status());
  observer_->OnCollectives(*added);
  return absl::OkStatus();
}

// Stale records are what a healed partition brings; the others are nothing that a sound worker sends.
void Fleet::NoteRefusal(const Sender& sender, const absl::Status& why) {
  const char* reason = absl::IsPermissionDenied(why) ? "foreign" : absl::IsInvalidArgument(why) ? "invalid" : "stale";
  observer_->OnRefusedRecord(reason);
  spdlog::log(IsStale(why) ? spdlog::level::info : spdlog::level::warn, "group '{}': a record is refused: {}",
              sender.group_id, std::string(why.message()));
}

// A worker that still reports an attempt which is over learns so once; with a result it has stopped by itself.
void Fleet::TellStale(const std::string& group_id, GroupChannel& channel, const v1::WorkerMessage& message) {
  AttemptKey key;
  if (message.has_metrics()) key = {message.metrics().job_id(), message.metrics().epoch()};
  if (message.has_logs()) key = {message.logs().job_id(), message.logs().epoch()};
  if (message.has_checkpoint()) key = {message.checkpoint().job_id(), message.checkpoint().epoch()};
  if (key.job_id.empty()) return;
  bool told = false;
  WithGroup(group_id, [&](Group& group) {
    if (group.known != key) return;
    told = group.cancel_sent;
    group.cancel_sent = true;
  });
  if (!told) channel.Send(StaleMessage(key));
}

// One record, made durable; an error of IsRefusal if it must not be.
absl::Status Fleet::HandleRecord(const Sender& sender, const v1::WorkerMessage& message) {
  switch (message.kind_case()) {
    case v1::WorkerMessage::kMetrics:
      return StoreMetrics(sender, message.metrics());
    case v1::WorkerMessage::kLogs:
      return StoreLogs(sender, message.logs(), message.sequence());
    case v1::WorkerMessage::kCheckpoint:
      return CommitCheckpoint(sender, message.checkpoint());
    case v1::WorkerMessage::kResult:
      return CommitResult(sender, message.result());
    default:
      return absl::InvalidArgumentError("an unknown kind of worker message");
  }
}

absl::Status Fleet::StoreMetrics(const Sender& sender, const v1::MetricBatch& batch) {
  ASSIGN_OR_RETURN(const HeldJob job, journal_->Read([&](const CoordinatorState& state) {
    return FindHeld(state, sender, batch.job_id(), batch.epoch());
  }));
  v1::MetricBatch tidy;
  absl::Status refused;
  for (v1::MetricPoint point : batch.points()) {
    const absl::Status status = TidyMetricPoint(job.steps, &point);
    if (status.ok()) *tidy.add_points() = std::move(point);
    refused.Update(status);
  }
  ASSIGN_OR_RETURN(const std::vector<v1::MetricPoint> fresh,
                   store_->AppendMetrics(batch.job_id(), batch.epoch(), tidy.points()));
  for (const v1::MetricPoint& point : fresh) observer_->OnStep(job.queue, point);
  return refused;
}

absl::Status Fleet::StoreLogs(const Sender& sender, const v1::LogBatch& batch, int64_t sequence) {
  ASSIGN_OR_RETURN(const HeldJob job, journal_->Read([&](const CoordinatorState& state) {
    return FindHeld(state, sender, batch.job_id(), batch.epoch());
  }));
  v1::LogBatch tidy;
  absl::Status refused;
  for (v1::LogLine line : batch.lines()) {
    const absl::Status status = TidyLogLine(job.ranks, &line);
    if (status.ok()) *tidy.add_lines() = std::move(line);
    refused.Update(status);
  }
  RETURN_IF_ERROR(store_->AppendLogs(batch.job_id(), batch.epoch(), sequence, tidy.lines()));
  return refused;
}

absl::Status Fleet::CommitCheckpoint(const Sender& sender, const v1::CheckpointCommitted& checkpoint) {
  return journal_->Commit([&](const CoordinatorState& state) -> absl::StatusOr<std::optional<v1::Event>> {
    ASSIGN_OR_RETURN(const HeldJob job, FindHeld(state, sender, checkpoint.job_id(), checkpoint.epoch()));
    RETURN_IF_ERROR(CheckCheckpoint(checkpoint.checkpoint(), checkpoint.job_id(), job.steps));
    v1::Event event;
    event.mutable_actor()->set_name(ActorName(sender));
    v1::CheckpointRecorded& recorded = *event.mutable_checkpoint_recorded();
    recorded.set_job_id(checkpoint.job_id());
    recorded.set_epoch(checkpoint.epoch());
    *recorded.mutable_checkpoint() = checkpoint.checkpoint();
    recorded.set_resumed(checkpoint.resumed());
    return event;
  });
}

absl::Status Fleet::CommitResult(const Sender& sender, const v1::AttemptResult& result) {
  // Reconcile must neither hand the attempt out again nor call it stale between the commit and the end of this.
  WithGroup(sender.group_id, [](Group& group) { group.result_pending = true; });
  const absl::Status status =
      journal_->Commit([&](const CoordinatorState& state) -> absl::StatusOr<std::optional<v1::Event>> {
        RETURN_IF_ERROR(state.CheckHeldBy(sender, result.job_id(), result.epoch()));
        const v1::Job& job = *state.FindById(result.job_id());
        const bool wants_point = state.RecipeOf(job, {"export"}).export_().frontier();
        v1::Event event;
        event.mutable_actor()->set_name(ActorName(sender));
        *event.mutable_attempt_ended() = EndOf(result, wants_point, job.stop_at_step());
        return event;
      });
  const bool recorded = status.ok() || IsRefusal(status);
  const bool asked = journal_->Read(
      [&](const CoordinatorState& state) { return WasAskedToEnd(state, result.job_id(), result.epoch()); });
  WithGroup(sender.group_id, [&](Group& group) {
    group.result_pending = false;
    if (!recorded) return;
    // After the end of a stale attempt the group may have missed the assignment that came meanwhile: Reconcile sends
    // it again, and a worker that is at it already takes no notice.
    group.known.reset();
    // A group that was asked to end an attempt waits for the next one; on SIGTERM it goes.
    group.leaving = result.outcome() == v1::LOST || (result.outcome() == v1::PREEMPTED && !asked);
  });
  journal_->changes().Notify();
  return status;
}

void Fleet::BeginMessage(const std::string& group_id, const GroupChannel& channel, const v1::WorkerMessage& message) {
  WithGroup(group_id, [&](Group& group) {
    group.last_heard_ms = options_.clock->MonotonicMs();
    group.last_heartbeat_unix_ms = options_.clock->WallUnixMs();
    if (message.has_heartbeat()) {
      const v1::Heartbeat& heartbeat = message.heartbeat();
      group.memory_used_bytes = std::clamp<int64_t>(heartbeat.memory_used_bytes(), 0, kMaxMemoryBytes);
      group.device_memory_used_bytes = std::clamp<int64_t>(heartbeat.device_memory_used_bytes(), 0, kMaxMemoryBytes);
    }
    if (IsRecord(message)) group.recording = &channel;
  });
}

// A slow disk is not the group's silence: its heartbeats wait behind the record.
void Fleet::EndRecord(const std::string& group_id, const GroupChannel& channel) {
  WithGroup(group_id, [&](Group& group) {
    if (group.recording != &channel) return;  // A newer stream took this one's place.
    group.recording = nullptr;
    group.last_heard_ms = options_.clock->MonotonicMs();
  });
}

}  // namespace ridgeline
