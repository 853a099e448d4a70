// SPDX-License-Identifier: Apache-2.0
#include "worker/rpc/hand_in.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <set>
#include <string>

#include "fmt/format.h"

namespace ridgeline {
namespace {

using Stream = grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>;

// Claims the attempt of the last record, which is no batch of points, as a group that reconnects does.
v1::WorkerMessage HelloOf(const Spool& spool) {
  v1::WorkerMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_group_id(spool.group_id);
  hello.set_incarnation(spool.incarnation);
  hello.set_version(RIDGELINE_VERSION);
  const v1::WorkerMessage& last = spool.records.back();
  hello.set_job_id(last.has_result() ? last.result().job_id() : last.checkpoint().job_id());
  hello.set_epoch(last.has_result() ? last.result().epoch() : last.checkpoint().epoch());
  return message;
}

absl::Status Talk(Stream& stream, const Spool& spool) {
  const absl::Status broken = absl::UnavailableError("the stream ended before all was acknowledged");
  v1::CoordinatorMessage answer;
  if (!stream.Write(HelloOf(spool)) || !stream.Read(&answer)) return broken;
  if (answer.has_refused()) return absl::PermissionDeniedError(answer.refused().reason());
  std::set<int64_t> unacknowledged;
  for (const v1::WorkerMessage& record : spool.records) {
    unacknowledged.insert(record.sequence());
    if (!stream.Write(record)) return broken;
  }
  stream.WritesDone();  // Nothing else will be said: the coordinator need not keep a place for it.
  while (!unacknowledged.empty() && stream.Read(&answer))
    if (answer.has_ack()) unacknowledged.erase(answer.ack().sequence());
  return unacknowledged.empty() ? absl::OkStatus() : broken;
}

}  // namespace

absl::Status HandIn(v1::WorkerGateway::Stub& stub, grpc::ClientContext* context, const Spool& spool) {
  if (spool.records.empty()) return absl::OkStatus();
  const std::unique_ptr<Stream> stream = stub.Attach(context);
  const absl::Status status = Talk(*stream, spool);
  if (!status.ok()) context->TryCancel();
  v1::CoordinatorMessage rest;
  while (stream->Read(&rest)) {
  }
  const grpc::Status finished = stream->Finish();
  if (!absl::IsUnavailable(status) || finished.error_message().empty()) return status;
  return absl::UnavailableError(fmt::format("{}: {}", std::string(status.message()), finished.error_message()));
}

}  // namespace ridgeline
