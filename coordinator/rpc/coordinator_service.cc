// SPDX-License-Identifier: Apache-2.0
#include "coordinator/rpc/coordinator_service.h"

#include <chrono>
#include <utility>

#include "common/status_macros.h"
#include "coordinator/rpc/grpc_status.h"

namespace ridgeline {

template <typename Response, typename Call>
grpc::Status CoordinatorService::Unary(const char* method, Response* response, Call call) {
  const auto start = std::chrono::steady_clock::now();
  absl::StatusOr<Response> result = call();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  metrics_->ObserveRpc(method, result.status().code(), seconds.count());
  if (result.ok()) *response = *std::move(result);
  return ToGrpcStatus(result.status());
}

grpc::Status CoordinatorService::GetInfo(grpc::ServerContext*, const v1::GetInfoRequest*, v1::Info* response) {
  return Unary("GetInfo", response, [&] { return absl::StatusOr<v1::Info>(info_()); });
}

grpc::Status CoordinatorService::SubmitJob(grpc::ServerContext*, const v1::SubmitJobRequest* request,
                                           v1::SubmitJobResponse* response) {
  return Unary("SubmitJob", response, [&]() -> absl::StatusOr<v1::SubmitJobResponse> {
    ASSIGN_OR_RETURN(const SubmittedJob submitted, actions_->Submit(*request));
    absl::StatusOr<v1::SubmitJobResponse> answer = reader_->Submitted(submitted.job_id);
    if (answer.ok()) answer->set_existed(submitted.existed);
    return answer;
  });
}

grpc::Status CoordinatorService::GetJob(grpc::ServerContext*, const v1::GetJobRequest* request, v1::Job* response) {
  return Unary("GetJob", response, [&] { return reader_->Get(request->job()); });
}

grpc::Status CoordinatorService::ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                                          v1::ListJobsResponse* response) {
  return Unary("ListJobs", response, [&] { return reader_->List(*request); });
}

grpc::Status CoordinatorService::CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                                           v1::Job* response) {
  return Unary("CancelJob", response, [&]() -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const std::string job_id, actions_->Cancel(request->job()));
    return reader_->Get(job_id);
  });
}

grpc::Status CoordinatorService::RetryJob(grpc::ServerContext*, const v1::RetryJobRequest* request, v1::Job* response) {
  return Unary("RetryJob", response, [&]() -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const std::string job_id, actions_->Retry(request->job()));
    return reader_->Get(job_id);
  });
}

grpc::Status CoordinatorService::GetMetrics(grpc::ServerContext*, const v1::GetMetricsRequest* request,
                                            v1::GetMetricsResponse* response) {
  return Unary("GetMetrics", response, [&] { return reader_->Metrics(*request); });
}

grpc::Status CoordinatorService::ListPoints(grpc::ServerContext*, const v1::ListPointsRequest* request,
                                            v1::ListPointsResponse* response) {
  return Unary("ListPoints", response, [&] { return reader_->Points(*request); });
}

grpc::Status CoordinatorService::ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                                             v1::ListWorkersResponse* response) {
  return Unary("ListWorkers", response, [&] { return reader_->Workers(); });
}

grpc::Status CoordinatorService::ChangeJob(grpc::ServerContext*, const v1::ChangeJobRequest* request,
                                           v1::Job* response) {
  return Unary("ChangeJob", response, [&]() -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const std::string job_id, actions_->Change(*request));
    return reader_->Get(job_id);
  });
}

grpc::Status CoordinatorService::ListQueues(grpc::ServerContext*, const v1::ListQueuesRequest*,
                                            v1::ListQueuesResponse* response) {
  return Unary("ListQueues", response, [&] { return absl::StatusOr<v1::ListQueuesResponse>(queues_->List()); });
}

grpc::Status CoordinatorService::SetQueue(grpc::ServerContext*, const v1::SetQueueRequest* request,
                                          v1::Queue* response) {
  return Unary("SetQueue", response, [&]() -> absl::StatusOr<v1::Queue> {
    RETURN_IF_ERROR(queue_actions_->SetQueue(*request));
    return queues_->Get(request->name());
  });
}

grpc::Status CoordinatorService::DrainWorker(grpc::ServerContext*, const v1::DrainWorkerRequest* request,
                                             v1::WorkerGroup* response) {
  return Unary("DrainWorker", response, [&]() -> absl::StatusOr<v1::WorkerGroup> {
    RETURN_IF_ERROR(queue_actions_->DrainWorker(*request));
    return queues_->Worker(request->group_id());
  });
}

grpc::ServerWriteReactor<v1::Job>* CoordinatorService::WatchJob(grpc::CallbackServerContext*,
                                                                const v1::WatchJobRequest* request) {
  return streams_->Watch(*request);
}

grpc::ServerWriteReactor<v1::LogLine>* CoordinatorService::StreamLogs(grpc::CallbackServerContext*,
                                                                      const v1::StreamLogsRequest* request) {
  return streams_->Logs(*request);
}

}  // namespace ridgeline
