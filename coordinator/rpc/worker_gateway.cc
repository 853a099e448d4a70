// SPDX-License-Identifier: Apache-2.0
#include "coordinator/rpc/worker_gateway.h"

#include <spdlog/spdlog.h>

#include "coordinator/rpc/grpc_status.h"

namespace ridgeline {
namespace {

v1::CoordinatorMessage RefusedMessage(const std::string& reason) {
  v1::CoordinatorMessage message;
  message.mutable_refused()->set_reason(reason);
  return message;
}

}  // namespace

grpc::Status WorkerGateway::Attach(grpc::ServerContext* context, WorkerStream* stream) {
  const absl::Status status = Serve(context, stream);
  metrics_->ObserveRpc("Attach", status.code(), std::nullopt);
  return ToGrpcStatus(status);
}

absl::Status WorkerGateway::Serve(grpc::ServerContext* context, WorkerStream* stream) {
  v1::WorkerMessage message;
  if (!stream->Read(&message)) return absl::CancelledError("the stream ended before Hello");
  if (!message.has_hello()) return absl::InvalidArgumentError("the first message of a worker's stream must be Hello");
  const Fleet::Sender sender{message.hello().group_id(), message.hello().incarnation()};
  const auto session = std::make_shared<WorkerSession>(context, stream);
  if (const absl::Status refused = fleet_->Attach(message.hello(), session); !refused.ok()) {
    spdlog::warn("a worker group is refused: {}", std::string(refused.message()));
    session->Send(RefusedMessage(std::string(refused.message())));
    session->Finish();
    return absl::IsUnavailable(refused) ? refused : absl::OkStatus();
  }
  absl::Status status;
  while (status.ok() && stream->Read(&message)) status = fleet_->Handle(sender, *session, message);
  // A peer that closes its side in good order leaves an uncancelled context behind.
  fleet_->Detach(sender.group_id, session, status.ok() && !context->IsCancelled());
  session->Finish();
  if (!status.ok()) spdlog::warn("group '{}': stream ended: {}", sender.group_id, std::string(status.message()));
  return status;
}

}  // namespace ridgeline
