// SPDX-License-Identifier: Apache-2.0
// The Coordinator service: forwards, converts statuses, counts calls.
#pragma once

#include <functional>
#include <string>

#include "coordinator/control/job_actions.h"
#include "coordinator/rpc/stream_hub.h"
#include "coordinator/telemetry/metrics.h"
#include "coordinator/view/job_reader.h"
#include "ridgeline/v1/coordinator.grpc.pb.h"

namespace ridgeline {

// Streams are served by callbacks, all else by a thread each.
using CoordinatorMethods = v1::Coordinator::WithCallbackMethod_WatchJob<
    v1::Coordinator::WithCallbackMethod_StreamLogs<v1::Coordinator::Service>>;

// Thread-safe. What it is made of must outlive it.
class CoordinatorService final : public CoordinatorMethods {
 public:
  // `info` answers GetInfo.
  CoordinatorService(JobActions* actions, const JobReader* reader, StreamHub* streams, CoordinatorMetrics* metrics,
                     std::function<v1::Info()> info)
      : actions_(actions), reader_(reader), streams_(streams), metrics_(metrics), info_(std::move(info)) {}

  grpc::Status GetInfo(grpc::ServerContext*, const v1::GetInfoRequest*, v1::Info*) override;
  grpc::Status SubmitJob(grpc::ServerContext*, const v1::SubmitJobRequest*, v1::SubmitJobResponse*) override;
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest*, v1::Job*) override;
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest*, v1::ListJobsResponse*) override;
  grpc::Status CancelJob(grpc::ServerContext*, const v1::CancelJobRequest*, v1::Job*) override;
  grpc::Status RetryJob(grpc::ServerContext*, const v1::RetryJobRequest*, v1::Job*) override;
  grpc::ServerWriteReactor<v1::Job>* WatchJob(grpc::CallbackServerContext*, const v1::WatchJobRequest*) override;
  grpc::Status GetMetrics(grpc::ServerContext*, const v1::GetMetricsRequest*, v1::GetMetricsResponse*) override;
  grpc::ServerWriteReactor<v1::LogLine>* StreamLogs(grpc::CallbackServerContext*,
                                                    const v1::StreamLogsRequest*) override;
  grpc::Status ListPoints(grpc::ServerContext*, const v1::ListPointsRequest*, v1::ListPointsResponse*) override;
  grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*, v1::ListWorkersResponse*) override;

 private:
  template <typename Response, typename Call>
  grpc::Status Unary(const char* method, Response* response, Call call);

  JobActions* const actions_;
  const JobReader* const reader_;
  StreamHub* const streams_;
  CoordinatorMetrics* const metrics_;
  const std::function<v1::Info()> info_;
};

}  // namespace ridgeline
