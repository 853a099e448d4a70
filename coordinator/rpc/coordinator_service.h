// SPDX-License-Identifier: Apache-2.0
// The Coordinator service: admits callers, forwards, converts statuses, counts calls.
#pragma once

#include <functional>
#include <string>

#include "coordinator/control/access.h"
#include "coordinator/control/job_actions.h"
#include "coordinator/control/queue_actions.h"
#include "coordinator/control/rate_limit.h"
#include "coordinator/control/token_actions.h"
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
  CoordinatorService(const AccessControl* access, RateLimit* rate, JobActions* actions, QueueActions* queue_actions,
                     TokenActions* tokens, const JobReader* reader, const QueueReader* queues, StreamHub* streams,
                     Journal* journal, CoordinatorMetrics* metrics, std::function<v1::Info()> info)
      : access_(access),
        rate_(rate),
        actions_(actions),
        queue_actions_(queue_actions),
        tokens_(tokens),
        reader_(reader),
        queues_(queues),
        streams_(streams),
        journal_(journal),
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
  grpc::Status CreateToken(grpc::ServerContext*, const v1::CreateTokenRequest*, v1::CreateTokenResponse*) override;
  grpc::Status ListTokens(grpc::ServerContext*, const v1::ListTokensRequest*, v1::ListTokensResponse*) override;
  grpc::Status RevokeToken(grpc::ServerContext*, const v1::RevokeTokenRequest*, v1::Token*) override;
  grpc::Status ListAudit(grpc::ServerContext*, const v1::ListAuditRequest*, v1::ListAuditResponse*) override;

 private:
  // Every method begins with one of these two: nothing is done before its caller is admitted.
  template <typename Response, typename Call>
  grpc::Status Unary(const char* method, const grpc::ServerContext* context, Response* response, Call call);
  absl::StatusOr<Principal> Admit(const char* method, const grpc::ServerContextBase& context) const;

  const AccessControl* const access_;
  RateLimit* const rate_;
  JobActions* const actions_;
  QueueActions* const queue_actions_;
  TokenActions* const tokens_;
  const JobReader* const reader_;
  const QueueReader* const queues_;
  StreamHub* const streams_;
  Journal* const journal_;  // For its audit.
  CoordinatorMetrics* const metrics_;
  const std::function<v1::Info()> info_;
};

}  // namespace ridgeline
