// SPDX-License-Identifier: Apache-2.0
#include "coordinator/rpc/worker_gateway.h"

#include <spdlog/spdlog.h>

#include "common/status_macros.h"
#include "coordinator/rpc/caller.h"
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
  ASSIGN_OR_RETURN(const Principal caller, access_->Admit("/ridgeline.v1.WorkerGateway/Attach", CallerOf(*context)));
  v1::WorkerMessage message;
  if (!stream->Read(&message)) return absl::CancelledError("the stream ended before Hello");
  if (!message.has_hello()) return absl::InvalidArgumentError("the first message of a worker's stream must be Hello");
  RETURN_IF_ERROR(CheckJoin(caller, message.hello()));
  const Fleet::Sender sender{message.hello().group_id(), message.hello().incarnation()};
  const auto session = std::make_shared<WorkerSession>(context, stream);
  if (const absl::Status refused = fleet_->Attach(message.hello(), session); !refused.ok()) {
    spdlog::warn("a worker group is refused: {}", std::string(refused.message()));
    session->Send(RefusedMessage(std::string(refused.message())));
    session->Finish();
    return absl::IsUnavailable(refused) ? refused : absl::OkStatus();
  }
  const absl::Status status = HandleAll(caller, *session, sender, stream);
  // A peer that closes its side in good order leaves an uncancelled context behind.
  fleet_->Detach(sender.group_id, session, status.ok() && !context->IsCancelled());
  session->Finish();
  if (!status.ok()) spdlog::warn("group '{}': stream ended: {}", sender.group_id, std::string(status.message()));
  return status;
}

absl::Status WorkerGateway::CheckJoin(const Principal& caller, const v1::Hello& hello) {
  const absl::Status status = tokens_->Join(caller, hello.group_id());
  if (absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status)) {
    access_->Count("group");
    spdlog::warn("a worker group is refused: {}", std::string(status.message()));
  }
  return status;
}

absl::Status WorkerGateway::HandleAll(const Principal& caller, WorkerSession& session, const Fleet::Sender& sender,
                                      WorkerStream* stream) {
  v1::WorkerMessage message;
  while (stream->Read(&message)) {
    RETURN_IF_ERROR(access_->StillGood(caller));  // A token may be revoked meanwhile.
    RETURN_IF_ERROR(fleet_->Handle(sender, session, message));
  }
  return absl::OkStatus();
}

}  // namespace ridgeline
