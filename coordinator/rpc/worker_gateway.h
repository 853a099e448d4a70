// SPDX-License-Identifier: Apache-2.0
// The streams of worker groups: passes their messages to the fleet, converts statuses, counts calls.
#pragma once

#include "absl/status/status.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/rpc/worker_session.h"
#include "coordinator/telemetry/metrics.h"
#include "ridgeline/v1/worker.grpc.pb.h"

namespace ridgeline {

// Thread-safe. What it is made of must outlive it.
class WorkerGateway final : public v1::WorkerGateway::Service {
 public:
  WorkerGateway(Fleet* fleet, CoordinatorMetrics* metrics) : fleet_(fleet), metrics_(metrics) {}

  // One call a worker group; lives as long as its stream.
  grpc::Status Attach(grpc::ServerContext* context, WorkerStream* stream) override;

 private:
  absl::Status Serve(grpc::ServerContext* context, WorkerStream* stream);

  Fleet* const fleet_;
  CoordinatorMetrics* const metrics_;
};

}  // namespace ridgeline
