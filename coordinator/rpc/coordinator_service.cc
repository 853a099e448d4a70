// SPDX-License-Identifier: Apache-2.0
#include "coordinator/rpc/coordinator_service.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/status_macros.h"
#include "coordinator/rpc/caller.h"
#include "coordinator/rpc/grpc_status.h"

namespace ridgeline {
namespace {

constexpr int kMaxAuditEntries = 1'000;

// Empty, for all, where the caller can have no jobs of its own.
std::string OwnerToList(const Principal& caller) {
  return caller.has_token() && caller.role != Role::kViewer ? caller.name : "";
}

}  // namespace

absl::StatusOr<Principal> CoordinatorService::Admit(const char* method, const grpc::ServerContextBase& context) const {
  absl::StatusOr<Principal> caller =
      access_->Admit(std::string("/ridgeline.v1.Coordinator/") + method, CallerOf(context));
  if (caller.ok() && caller->has_token()) RETURN_IF_ERROR(rate_->Take(caller->name));
  return caller;
}

template <typename Response, typename Call>
grpc::Status CoordinatorService::Unary(const char* method, const grpc::ServerContext* context, Response* response,
                                       Call call) {
  const auto start = std::chrono::steady_clock::now();
  const absl::StatusOr<Principal> caller = Admit(method, *context);
  absl::StatusOr<Response> result = caller.ok() ? call(*caller) : caller.status();
  if (caller.ok() && absl::IsPermissionDenied(result.status())) access_->Count("owner");
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  metrics_->ObserveRpc(method, result.status().code(), seconds.count());
  if (result.ok()) *response = *std::move(result);
  return ToGrpcStatus(result.status());
}

grpc::Status CoordinatorService::GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest*, v1::Info* response) {
  return Unary("GetInfo", context, response, [&](const Principal&) { return absl::StatusOr<v1::Info>(info_()); });
}

grpc::Status CoordinatorService::SubmitJob(grpc::ServerContext* context, const v1::SubmitJobRequest* request,
                                           v1::SubmitJobResponse* response) {
  return Unary("SubmitJob", context, response, [&](const Principal& caller) -> absl::StatusOr<v1::SubmitJobResponse> {
    ASSIGN_OR_RETURN(const SubmittedJob submitted, actions_->Submit(*request, caller));
    absl::StatusOr<v1::SubmitJobResponse> answer = reader_->Submitted(submitted.job_id);
    if (answer.ok()) answer->set_existed(submitted.existed);
    return answer;
  });
}

grpc::Status CoordinatorService::GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                                        v1::Job* response) {
  return Unary("GetJob", context, response, [&](const Principal&) { return reader_->Get(request->job()); });
}

grpc::Status CoordinatorService::ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                                          v1::ListJobsResponse* response) {
  return Unary("ListJobs", context, response, [&](const Principal& caller) {
    v1::ListJobsRequest wanted = *request;
    if (wanted.owner() == kOwnJobs) wanted.set_owner(OwnerToList(caller));
    return reader_->List(wanted);
  });
}

grpc::Status CoordinatorService::CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                                           v1::Job* response) {
  return Unary("CancelJob", context, response, [&](const Principal& caller) -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const std::string job_id, actions_->Cancel(request->job(), caller));
    return reader_->Get(job_id);
  });
}

grpc::Status CoordinatorService::RetryJob(grpc::ServerContext* context, const v1::RetryJobRequest* request,
                                          v1::Job* response) {
  return Unary("RetryJob", context, response, [&](const Principal& caller) -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const std::string job_id, actions_->Retry(request->job(), caller));
    return reader_->Get(job_id);
  });
}

grpc::Status CoordinatorService::GetMetrics(grpc::ServerContext* context, const v1::GetMetricsRequest* request,
                                            v1::GetMetricsResponse* response) {
  return Unary("GetMetrics", context, response, [&](const Principal&) { return reader_->Metrics(*request); });
}

grpc::Status CoordinatorService::ListPoints(grpc::ServerContext* context, const v1::ListPointsRequest* request,
                                            v1::ListPointsResponse* response) {
  return Unary("ListPoints", context, response, [&](const Principal&) { return reader_->Points(*request); });
}

grpc::Status CoordinatorService::ListWorkers(grpc::ServerContext* context, const v1::ListWorkersRequest*,
                                             v1::ListWorkersResponse* response) {
  return Unary("ListWorkers", context, response, [&](const Principal&) { return reader_->Workers(); });
}

grpc::Status CoordinatorService::ChangeJob(grpc::ServerContext* context, const v1::ChangeJobRequest* request,
                                           v1::Job* response) {
  return Unary("ChangeJob", context, response, [&](const Principal& caller) -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const std::string job_id, actions_->Change(*request, caller));
    return reader_->Get(job_id);
  });
}

grpc::Status CoordinatorService::ListQueues(grpc::ServerContext* context, const v1::ListQueuesRequest*,
                                            v1::ListQueuesResponse* response) {
  return Unary("ListQueues", context, response,
               [&](const Principal&) { return absl::StatusOr<v1::ListQueuesResponse>(queues_->List()); });
}

grpc::Status CoordinatorService::SetQueue(grpc::ServerContext* context, const v1::SetQueueRequest* request,
                                          v1::Queue* response) {
  return Unary("SetQueue", context, response, [&](const Principal& caller) -> absl::StatusOr<v1::Queue> {
    RETURN_IF_ERROR(queue_actions_->SetQueue(*request, caller));
    return queues_->Get(request->name());
  });
}

grpc::Status CoordinatorService::DrainWorker(grpc::ServerContext* context, const v1::DrainWorkerRequest* request,
                                             v1::WorkerGroup* response) {
  return Unary("DrainWorker", context, response, [&](const Principal& caller) -> absl::StatusOr<v1::WorkerGroup> {
    RETURN_IF_ERROR(queue_actions_->DrainWorker(*request, caller));
    return queues_->Worker(request->group_id());
  });
}

grpc::ServerWriteReactor<v1::Job>* CoordinatorService::WatchJob(grpc::CallbackServerContext* context,
                                                                const v1::WatchJobRequest* request) {
  return streams_->Watch(*request, Admit("WatchJob", *context));
}

grpc::ServerWriteReactor<v1::LogLine>* CoordinatorService::StreamLogs(grpc::CallbackServerContext* context,
                                                                      const v1::StreamLogsRequest* request) {
  return streams_->Logs(*request, Admit("StreamLogs", *context));
}

grpc::Status CoordinatorService::CreateToken(grpc::ServerContext* context, const v1::CreateTokenRequest* request,
                                             v1::CreateTokenResponse* response) {
  return Unary("CreateToken", context, response,
               [&](const Principal& caller) { return tokens_->Create(*request, caller); });
}

grpc::Status CoordinatorService::ListTokens(grpc::ServerContext* context, const v1::ListTokensRequest*,
                                            v1::ListTokensResponse* response) {
  return Unary("ListTokens", context, response,
               [&](const Principal&) { return absl::StatusOr<v1::ListTokensResponse>(tokens_->List()); });
}

grpc::Status CoordinatorService::RevokeToken(grpc::ServerContext* context, const v1::RevokeTokenRequest* request,
                                             v1::Token* response) {
  return Unary("RevokeToken", context, response,
               [&](const Principal& caller) { return tokens_->Revoke(request->name(), caller); });
}

grpc::Status CoordinatorService::ListAudit(grpc::ServerContext* context, const v1::ListAuditRequest* request,
                                           v1::ListAuditResponse* response) {
  return Unary("ListAudit", context, response, [&](const Principal&) {
    AuditQuery query{request->before_sequence(), request->actor()};
    if (request->page_size() > 0) query.limit = std::min(request->page_size(), kMaxAuditEntries);
    return journal_->Audit(query);
  });
}

}  // namespace ridgeline
