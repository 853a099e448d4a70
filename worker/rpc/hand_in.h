// SPDX-License-Identifier: Apache-2.0
// A group that was started again hands in what its earlier start has left, on a stream of that start.
#pragma once

#include "absl/status/status.h"
#include "ridgeline/v1/worker.grpc.pb.h"
#include "worker/rpc/spool_file.h"

namespace ridgeline {

// Opens one stream, says Hello as the earlier start with 0 ranks, so that nobody gives it a job, sends the records and
// waits until all are acknowledged. UNAVAILABLE if the stream ends before: try again. PERMISSION_DENIED with the
// coordinator's reason if it takes nothing from that start any more. Cancel `context` to end it early.
absl::Status HandIn(v1::WorkerGateway::Stub& stub, grpc::ClientContext* context, const Spool& spool);

}  // namespace ridgeline
