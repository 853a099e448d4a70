// SPDX-License-Identifier: Apache-2.0
// Streams of worker groups: who comes, who goes, and the records that they send. Reconcile is in reconcile.cc.
#include "coordinator/rpc/worker_gateway.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>

#include "common/artifact_files.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "coordinator/rpc/grpc_status.h"
#include "coordinator/rpc/record_rules.h"

namespace ridgeline {
namespace {

constexpr size_t kRememberedIncarnations = 16;

v1::CoordinatorMessage RefusedMessage(const std::string& reason) {
  v1::CoordinatorMessage message;
  message.mutable_refused()->set_reason(reason);
  return message;
}

bool IsRecord(const v1::WorkerMessage& message) {
  return !message.has_hello() && !message.has_heartbeat() && message.kind_case() != v1::WorkerMessage::KIND_NOT_SET;
}

// A path is given for people to look at; where a job's artifacts lie is not the worker's choice.
absl::Status CheckArtifact(const v1::Artifact& artifact, const std::string& job_id) {
  RETURN_IF_ERROR(CheckPlainName(artifact.name()));
  for (const v1::Artifact::File& file : artifact.files()) RETURN_IF_ERROR(CheckRelativePath(file.name()));
  if (artifact.path() == fmt::format("jobs/{}/artifacts/{}", job_id, artifact.name())) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("artifact '{}' does not lie in jobs/{}/artifacts", artifact.name(), job_id));
}

absl::Status CheckArtifacts(const v1::AttemptResult& result) {
  for (const v1::Artifact& artifact : result.artifacts()) RETURN_IF_ERROR(CheckArtifact(artifact, result.job_id()));
  return absl::OkStatus();
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
};

absl::StatusOr<HeldJob> FindHeld(const CoordinatorState& state, const CoordinatorState::Holder& sender,
                                 const std::string& job_id, int64_t epoch) {
  RETURN_IF_ERROR(state.CheckHeldBy(sender, job_id, epoch));
  const v1::Job& job = *state.FindById(job_id);
  return HeldJob{state.RecipeOf(job, {"training"}).training().steps(), LiveAttempt(job)->ranks()};
}

// What the journal keeps of a result. A completed attempt without a finite loss has not succeeded, and a point that
// nobody can have measured must not stand on the frontier.
v1::AttemptEnded EndOf(const v1::AttemptResult& result, bool wants_point) {
  v1::AttemptEnded ended;
  ended.set_job_id(result.job_id());
  ended.set_epoch(result.epoch());
  ended.set_detail(PrintableLine(result.detail(), kMaxDetailBytes));
  ended.set_outcome(result.outcome());
  const bool known_outcome = result.outcome() == v1::COMPLETED || result.outcome() == v1::ERROR ||
                             result.outcome() == v1::STOPPED || result.outcome() == v1::PREEMPTED ||
                             result.outcome() == v1::NO_ROOM || result.outcome() == v1::LOST;
  if (!known_outcome) {
    ended.set_outcome(v1::ERROR);
    ended.set_detail(fmt::format("the worker sent outcome {}: {}", result.outcome(), ended.detail()));
  }
  if (result.outcome() != v1::COMPLETED) return ended;
  if (const absl::Status status = CheckArtifacts(result); !status.ok()) {
    ended.set_outcome(v1::ERROR);
    ended.set_detail(fmt::format("the worker sent an artifact that is refused: {}", std::string(status.message())));
    return ended;
  }
  *ended.mutable_artifacts() = result.artifacts();
  if (!wants_point && !result.has_point()) return ended;
  if (const absl::Status status = CheckFrontierPoint(result.point()); status.ok()) {
    *ended.mutable_point() = result.point();
  } else {
    ended.set_outcome(v1::ERROR);
    ended.clear_artifacts();
    const bool finite = result.point().has_loss() && std::isfinite(result.point().loss());
    ended.set_detail(fmt::format("{}the worker's result is refused: {}",
                                 finite ? "" : "NONFINITE: ", std::string(status.message())));
  }
  return ended;
}

}  // namespace

WorkerGateway::WorkerGateway(const GatewayOptions& options, Journal* journal, MetricStore* store,
                             CoordinatorMetrics* metrics)
    : options_(options), journal_(journal), store_(store), metrics_(metrics) {
  const std::vector<LiveAttemptView> live = LiveAttempts();
  absl::MutexLock lock(&mutex_);
  reconciled_ms_ = options_.clock->MonotonicMs();
  for (const LiveAttemptView& attempt : live) {
    Group& group = groups_[attempt.group_id];
    group.hello.set_group_id(attempt.group_id);
    group.hello.set_incarnation(attempt.incarnation);
    group.last_heard_ms = reconciled_ms_;
  }
}

grpc::Status WorkerGateway::Attach(grpc::ServerContext* context, WorkerStream* stream) {
  const absl::Status status = Serve(context, stream);
  metrics_->ObserveRpc("Attach", status.code(), std::nullopt);
  return ToGrpcStatus(status);
}

absl::Status WorkerGateway::Serve(grpc::ServerContext* context, WorkerStream* stream) {
  v1::WorkerMessage message;
  if (!stream->Read(&message)) return absl::CancelledError("the stream ended before Hello");
  if (!message.has_hello()) return absl::InvalidArgumentError("the first message of a worker's stream must be Hello");
  const v1::Hello hello = message.hello();
  const Sender sender{hello.group_id(), hello.incarnation()};
  const auto session = std::make_shared<WorkerSession>(context, stream);
  absl::Status refused = CheckHello(hello);
  if (refused.ok()) refused = Register(hello, session);
  if (!refused.ok()) {
    spdlog::warn("a worker group is refused: {}", std::string(refused.message()));
    session->Send(RefusedMessage(std::string(refused.message())));
    session->Finish();
    return absl::IsUnavailable(refused) ? refused : absl::OkStatus();
  }
  journal_->changes().Notify();
  absl::Status status;
  while (status.ok() && stream->Read(&message)) status = HandleMessage(sender, *session, message);
  // A peer that closes its side in good order leaves an uncancelled context behind.
  Unregister(hello.group_id(), session, status.ok() && !context->IsCancelled());
  session->Finish();
  journal_->changes().Notify();
  if (!status.ok()) spdlog::warn("group '{}': stream ended: {}", hello.group_id(), std::string(status.message()));
  return status;
}

absl::Status WorkerGateway::Register(const v1::Hello& hello, const std::shared_ptr<WorkerSession>& session) {
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
  if (group.session != nullptr) group.session->Cancel();
  if (!same_incarnation) {
    group.memory_used_bytes = 0;
    group.device_memory_used_bytes = 0;
    group.collectives.reset();
  }
  group.hello = hello;
  group.session = session;
  group.attached_ms = group.last_heard_ms = options_.clock->MonotonicMs();
  group.last_heartbeat_unix_ms = options_.clock->WallUnixMs();
  group.started_here.reset();
  group.leaving = false;
  group.cancel_sent = false;
  group.known.reset();
  if (!hello.job_id().empty()) group.known = AttemptKey{hello.job_id(), hello.epoch()};
  v1::CoordinatorMessage message;
  message.mutable_welcome()->set_coordinator_version(RIDGELINE_VERSION);
  message.mutable_welcome()->set_heartbeat_interval_ms(options_.heartbeat_interval_ms);
  session->Send(message);
  spdlog::info("group '{}' attached with {} ranks{}", hello.group_id(), hello.ranks(),
               hello.job_id().empty() ? "" : fmt::format(", still at {} (attempt {})", hello.job_id(), hello.epoch()));
  return absl::OkStatus();
}

void WorkerGateway::Unregister(const std::string& group_id, const std::shared_ptr<WorkerSession>& session,
                               bool said_goodbye) {
  const bool has_job =
      journal_->Read([&](const CoordinatorState& state) { return state.JobOnGroup(group_id) != nullptr; });
  absl::MutexLock lock(&mutex_);
  const auto found = groups_.find(group_id);
  if (found == groups_.end() || found->second.session != session) return;  // A newer stream took its place.
  found->second.session = nullptr;
  if (said_goodbye && !has_job) groups_.erase(found);
  spdlog::info("group '{}' {}", group_id, said_goodbye ? "left" : "is out of reach");
}

absl::Status WorkerGateway::HandleMessage(const Sender& sender, WorkerSession& session,
                                          const v1::WorkerMessage& message) {
  const std::string& group_id = sender.group_id;
  BeginMessage(group_id, session, message);
  if (message.has_hello()) return absl::InvalidArgumentError("a second Hello on one stream");
  if (message.has_heartbeat()) {
    const absl::Status counted = CountCollectives(sender, session, message.heartbeat());
    if (!counted.ok()) NoteRefusal(sender, counted);
  }
  if (!IsRecord(message)) return absl::OkStatus();
  const absl::Status status = HandleRecord(sender, message);
  EndRecord(group_id, session);
  // Without an Ack the record stays in the worker's spool, and it comes again with the next stream.
  if (!status.ok() && !IsRefusal(status)) return status;
  if (!status.ok()) NoteRefusal(sender, status);
  if (IsStale(status) || absl::IsPermissionDenied(status)) TellStale(group_id, session, message);
  if (message.sequence() > 0) {
    v1::CoordinatorMessage ack;
    ack.mutable_ack()->set_sequence(message.sequence());
    session.Send(ack);
  }
  return absl::OkStatus();
}

// Each incarnation counts from its own start. What it did before its first heartbeat here is left out: after a restart
// of this program it would come a second time.
absl::Status WorkerGateway::CountCollectives(const Sender& sender, const WorkerSession& session,
                                             const v1::Heartbeat& heartbeat) {
  RETURN_IF_ERROR(CheckCollectives(heartbeat.collectives()));
  absl::StatusOr<CollectiveCountList> added = CollectiveCountList();
  WithGroup(sender.group_id, [&](Group& group) {
    if (group.session.get() != &session) return;  // A newer stream took this one's place.
    added = CollectivesSince(group.collectives.value_or(heartbeat.collectives()), heartbeat.collectives());
    if (added.ok()) group.collectives = heartbeat.collectives();
  });
  RETURN_IF_ERROR(added.status());
  metrics_->collectives()->Add(*added);
  return absl::OkStatus();
}

// Stale records are what a healed partition brings; the others are nothing that a sound worker sends.
void WorkerGateway::NoteRefusal(const Sender& sender, const absl::Status& why) {
  const char* reason = absl::IsPermissionDenied(why) ? "foreign" : absl::IsInvalidArgument(why) ? "invalid" : "stale";
  metrics_->ObserveRefusedRecord(reason);
  spdlog::log(IsStale(why) ? spdlog::level::info : spdlog::level::warn, "group '{}': a record is refused: {}",
              sender.group_id, std::string(why.message()));
}

// A worker that still reports an attempt which is over learns so once; with a result it has stopped by itself.
void WorkerGateway::TellStale(const std::string& group_id, WorkerSession& session, const v1::WorkerMessage& message) {
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
  if (!told) session.Send(StaleMessage(key));
}

// One record, made durable; an error of IsRefusal if it must not be.
absl::Status WorkerGateway::HandleRecord(const Sender& sender, const v1::WorkerMessage& message) {
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

absl::Status WorkerGateway::StoreMetrics(const Sender& sender, const v1::MetricBatch& batch) {
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
  for (const v1::MetricPoint& point : fresh) metrics_->ObserveStep(point);
  return refused;
}

absl::Status WorkerGateway::StoreLogs(const Sender& sender, const v1::LogBatch& batch, int64_t sequence) {
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

absl::Status WorkerGateway::CommitCheckpoint(const Sender& sender, const v1::CheckpointCommitted& checkpoint) {
  return journal_->Commit([&](const CoordinatorState& state) -> absl::StatusOr<std::optional<v1::Event>> {
    ASSIGN_OR_RETURN(const HeldJob job, FindHeld(state, sender, checkpoint.job_id(), checkpoint.epoch()));
    RETURN_IF_ERROR(CheckCheckpoint(checkpoint.checkpoint(), checkpoint.job_id(), job.steps));
    v1::Event event;
    v1::CheckpointRecorded& recorded = *event.mutable_checkpoint_recorded();
    recorded.set_job_id(checkpoint.job_id());
    recorded.set_epoch(checkpoint.epoch());
    *recorded.mutable_checkpoint() = checkpoint.checkpoint();
    recorded.set_resumed(checkpoint.resumed());
    return event;
  });
}

absl::Status WorkerGateway::CommitResult(const Sender& sender, const v1::AttemptResult& result) {
  // Reconcile must neither hand the attempt out again nor call it stale between the commit and the end of this.
  WithGroup(sender.group_id, [](Group& group) { group.result_pending = true; });
  const absl::Status status =
      journal_->Commit([&](const CoordinatorState& state) -> absl::StatusOr<std::optional<v1::Event>> {
        RETURN_IF_ERROR(state.CheckHeldBy(sender, result.job_id(), result.epoch()));
        const v1::Recipe recipe = state.RecipeOf(*state.FindById(result.job_id()), {"export"});
        v1::Event event;
        *event.mutable_attempt_ended() = EndOf(result, recipe.export_().frontier());
        return event;
      });
  const bool recorded = status.ok() || IsRefusal(status);
  WithGroup(sender.group_id, [&](Group& group) {
    group.result_pending = false;
    if (!recorded) return;
    // After the end of a stale attempt the group may have missed the assignment that came meanwhile: Reconcile sends
    // it again, and a worker that is at it already takes no notice.
    group.known.reset();
    group.leaving = result.outcome() == v1::PREEMPTED || result.outcome() == v1::LOST;
  });
  journal_->changes().Notify();
  return status;
}

void WorkerGateway::BeginMessage(const std::string& group_id, const WorkerSession& session,
                                 const v1::WorkerMessage& message) {
  WithGroup(group_id, [&](Group& group) {
    group.last_heard_ms = options_.clock->MonotonicMs();
    group.last_heartbeat_unix_ms = options_.clock->WallUnixMs();
    if (message.has_heartbeat()) {
      const v1::Heartbeat& heartbeat = message.heartbeat();
      group.memory_used_bytes = std::clamp<int64_t>(heartbeat.memory_used_bytes(), 0, kMaxMemoryBytes);
      group.device_memory_used_bytes = std::clamp<int64_t>(heartbeat.device_memory_used_bytes(), 0, kMaxMemoryBytes);
    }
    if (IsRecord(message)) group.recording = &session;
  });
}

// A slow disk is not the group's silence: its heartbeats wait behind the record.
void WorkerGateway::EndRecord(const std::string& group_id, const WorkerSession& session) {
  WithGroup(group_id, [&](Group& group) {
    if (group.recording != &session) return;  // A newer stream took this one's place.
    group.recording = nullptr;
    group.last_heard_ms = options_.clock->MonotonicMs();
  });
}

void WorkerGateway::WithGroup(const std::string& group_id, const std::function<void(Group&)>& change) {
  absl::MutexLock lock(&mutex_);
  const auto found = groups_.find(group_id);
  if (found != groups_.end()) change(found->second);
}

void WorkerGateway::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  for (auto& [id, group] : groups_) {
    if (group.session != nullptr) group.session->Cancel();
  }
}

}  // namespace ridgeline
