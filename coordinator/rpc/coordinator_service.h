// SPDX-License-Identifier: Apache-2.0
// The Coordinator service: forwards, converts statuses, counts calls.
#pragma once

#include <functional>
#include <string>

#include "coordinator/control/job_actions.h"
#include "coordinator/control/queue_actions.h"
#include "coordinator/rpc/stream_hub.h"
#include "coordinator/telemetry/metrics.h"
#include "coordinator/view/job_reader.h"
#include "coordinator/view/queue_reader.h"
#include "ridgeline/v1/coordinator.grpc.pb.h"

namespace ridgeline {

// Streams are served by callbacks, all else by a thread each.
using CoordinatorMethods = v1::Coordinator::WithCallbackMethod_WatchJob<
    v1::Coordinator::WithCallbackMethod_StreamLogs<v1::Coordinator::Service>>;

// Thread-safe. What it is made of must outlive it.
class CoordinatorService final : public CoordinatorMethods {
 public:
  // `info` answers GetInfo.
  CoordinatorService(JobActions* actions, QueueActions* queue_actions, const JobReader* reader,
                     const QueueReader* queues, StreamHub* streams, CoordinatorMetrics* metrics,
                     std::function<v1::Info()> info)
      : actions_(actions),
        queue_actions_(queue_actions),
        reader_(reader),
        queues_(queues),
        streams_(streams),
        metrics_(metrics),
        info_(std::move(info)) {}

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
  grpc::Status ChangeJob(grpc::ServerContext*, const v1::ChangeJobRequest*, v1::Job*) override;
  grpc::Status ListQueues(grpc::ServerContext*, const v1::ListQueuesRequest*, v1::ListQueuesResponse*) override;
  grpc::Status SetQueue(grpc::ServerContext*, const v1::SetQueueRequest*, v1::Queue*) override;
  grpc::Status DrainWorker(grpc::ServerContext*, const v1::DrainWorkerRequest*, v1::WorkerGroup*) override;

 private:
  template <typename Response, typename Call>
  grpc::Status Unary(const char* method, Response* response, Call call);

  JobActions* const actions_;
  QueueActions* const queue_actions_;
  const JobReader* const reader_;
  const QueueReader* const queues_;
  StreamHub* const streams_;
  CoordinatorMetrics* const metrics_;
  const std::function<v1::Info()> info_;
};

}  // namespace ridgeline
