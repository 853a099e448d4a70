// SPDX-License-Identifier: Apache-2.0
// The streams of worker groups: admits them, passes their messages to the fleet, converts statuses, counts calls.
#pragma once

#include "absl/status/status.h"
#include "coordinator/control/access.h"
#include "coordinator/control/token_actions.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/rpc/worker_session.h"
#include "coordinator/telemetry/metrics.h"
#include "ridgeline/v1/worker.grpc.pb.h"

namespace ridgeline {

// Thread-safe. What it is made of must outlive it.
class WorkerGateway final : public v1::WorkerGateway::Service {
 public:
  WorkerGateway(const AccessControl* access, TokenActions* tokens, Fleet* fleet, CoordinatorMetrics* metrics)
      : access_(access), tokens_(tokens), fleet_(fleet), metrics_(metrics) {}

  // One call a worker group; lives as long as its stream.
  grpc::Status Attach(grpc::ServerContext* context, WorkerStream* stream) override;

 private:
  absl::Status Serve(grpc::ServerContext* context, WorkerStream* stream);

  // The stream's caller is the group that its token was made for, from Hello to its end.
  absl::Status CheckJoin(const Principal& caller, const v1::Hello& hello);
  absl::Status HandleAll(const Principal& caller, WorkerSession& session, const Fleet::Sender& sender,
                         WorkerStream* stream);

  const AccessControl* const access_;
  TokenActions* const tokens_;
  Fleet* const fleet_;
  CoordinatorMetrics* const metrics_;
};

}  // namespace ridgeline
