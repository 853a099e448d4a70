// SPDX-License-Identifier: Apache-2.0
// Deadlines, retries, and statuses that say what to do.
#include "cli/shared/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "cli/shared/printable_message.h"
#include "common/interrupt.h"
#include "common/print.h"
#include "common/printable.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectLimit(500);

void SetDeadline(grpc::ClientContext* context, milliseconds deadline) {
  context->set_deadline(std::chrono::system_clock::now() + deadline);
}

// gRPC's words without its wrapping: "ipv4:127.0.0.1:7117: Failed to connect to remote host: Connection refused".
std::string InnermostError(const std::string& message) {
  std::string text = message;
  for (const std::string marker : {"last error: ", "UNKNOWN: "}) {
    if (const size_t at = text.rfind(marker); at != std::string::npos) text = text.substr(at + marker.size());
  }
  return text;
}

// Reads until the stream ends; an interrupt cancels it.
template <typename Message>
absl::Status ReadStream(grpc::ClientContext* context, std::unique_ptr<grpc::ClientReader<Message>> reader,
                        const std::string& address, const std::function<bool(const Message&)>& on_message) {
  std::jthread canceller([context](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (Interrupted()) context->TryCancel();
      std::this_thread::sleep_for(milliseconds(50));
    }
  });
  bool enough = false;
  for (Message message; !enough && reader->Read(&message);) {
    MakePrintable(&message);
    enough = !on_message(message);
  }
  if (enough) context->TryCancel();
  const grpc::Status status = reader->Finish();
  return enough ? absl::OkStatus() : FromGrpcStatus(status, address);
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status, const std::string& address) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  if (code == absl::StatusCode::kUnavailable) {
    const std::string error = InnermostError(status.error_message());
    // What a port with TLS does to those who come without, and the other way round.
    const bool may_be_tls =
        error.find("Socket closed") != std::string::npos || error.find("sl handshake") != std::string::npos;
    return absl::UnavailableError(fmt::format(
        "no coordinator answers at {} ({}); `ridgeline up` starts one here, --coordinator HOST:PORT names another{}",
        address, Printable(error), may_be_tls ? ". One with TLS wants its CA, --tls-ca; one without wants none" : ""));
  }
  if (code == absl::StatusCode::kDeadlineExceeded) {
    return absl::DeadlineExceededError(
        fmt::format("the coordinator at {} did not answer in time; `ridgeline doctor` checks what is wrong", address));
  }
  return absl::Status(code, Printable(status.error_message()));
}

Client::Client(std::string address, std::shared_ptr<grpc::Channel> channel, CallPolicy policy)
    : address_(std::move(address)),
      policy_(policy),
      channel_(std::move(channel)),
      stub_(v1::Coordinator::NewStub(channel_)) {}

Client Client::WithPolicy(CallPolicy policy) const {
  Client copy = *this;
  copy.policy_ = policy;
  return copy;
}

void Client::LetConnect() const {
  const grpc_connectivity_state state = channel_->GetState(true);
  if (state != GRPC_CHANNEL_CONNECTING && state != GRPC_CHANNEL_TRANSIENT_FAILURE) return;
  channel_->WaitForConnected(std::chrono::system_clock::now() + kConnectLimit);
}

template <typename Request, typename Response>
absl::StatusOr<Response> Client::Call(grpc::Status (v1::Coordinator::Stub::*method)(grpc::ClientContext*,
                                                                                    const Request&, Response*),
                                      const Request& request) const {
  const auto give_up = std::chrono::steady_clock::now() + policy_.retry_for;
  milliseconds pause(100);
  while (true) {
    LetConnect();
    grpc::ClientContext context;
    SetDeadline(&context, policy_.deadline);
    Response response;
    const grpc::Status status = ((*stub_).*method)(&context, request, &response);
    if (status.ok()) {
      MakePrintable(&response);
      return response;
    }
    const bool again =
        status.error_code() == grpc::StatusCode::UNAVAILABLE && std::chrono::steady_clock::now() + pause < give_up;
    if (!again || !SleepUnlessInterrupted(pause)) return FromGrpcStatus(status, address_);
    pause = std::min(pause * 2, milliseconds(1'000));
  }
}

absl::StatusOr<v1::Info> Client::GetInfo() const { return Call(&v1::Coordinator::Stub::GetInfo, v1::GetInfoRequest()); }

absl::StatusOr<v1::SubmitJobResponse> Client::SubmitJob(const v1::SubmitJobRequest& request) const {
  return Call(&v1::Coordinator::Stub::SubmitJob, request);
}

absl::StatusOr<v1::Job> Client::GetJob(const std::string& job) const {
  v1::GetJobRequest request;
  request.set_job(job);
  return Call(&v1::Coordinator::Stub::GetJob, request);
}

absl::StatusOr<std::vector<v1::Job>> Client::ListJobs(const v1::ListJobsRequest& request) const {
  std::vector<v1::Job> jobs;
  RETURN_IF_ERROR(ListJobs(request, [&](const v1::ListJobsResponse& page) {
    jobs.insert(jobs.end(), page.jobs().begin(), page.jobs().end());
    return true;
  }));
  return jobs;
}

absl::Status Client::ListJobs(v1::ListJobsRequest request,
                              const std::function<bool(const v1::ListJobsResponse&)>& on_page) const {
  while (true) {
    ASSIGN_OR_RETURN(const v1::ListJobsResponse page, Call(&v1::Coordinator::Stub::ListJobs, request));
    if (!on_page(page) || page.next_page_token().empty()) return absl::OkStatus();
    request.set_page_token(page.next_page_token());
  }
}

absl::StatusOr<v1::Job> Client::CancelJob(const std::string& job) const {
  v1::CancelJobRequest request;
  request.set_job(job);
  return Call(&v1::Coordinator::Stub::CancelJob, request);
}

absl::StatusOr<v1::Job> Client::RetryJob(const std::string& job) const {
  v1::RetryJobRequest request;
  request.set_job(job);
  return Call(&v1::Coordinator::Stub::RetryJob, request);
}

absl::StatusOr<v1::Job> Client::ChangeJob(const v1::ChangeJobRequest& request) const {
  return Call(&v1::Coordinator::Stub::ChangeJob, request);
}

absl::StatusOr<v1::ListQueuesResponse> Client::ListQueues() const {
  return Call(&v1::Coordinator::Stub::ListQueues, v1::ListQueuesRequest());
}

absl::StatusOr<v1::Queue> Client::SetQueue(const v1::SetQueueRequest& request) const {
  return Call(&v1::Coordinator::Stub::SetQueue, request);
}

absl::StatusOr<v1::WorkerGroup> Client::DrainWorker(const std::string& group_id, bool undo) const {
  v1::DrainWorkerRequest request;
  request.set_group_id(group_id);
  request.set_undo(undo);
  return Call(&v1::Coordinator::Stub::DrainWorker, request);
}

absl::StatusOr<v1::CreateTokenResponse> Client::CreateToken(const v1::CreateTokenRequest& request) const {
  return Call(&v1::Coordinator::Stub::CreateToken, request);
}

absl::StatusOr<v1::ListTokensResponse> Client::ListTokens() const {
  return Call(&v1::Coordinator::Stub::ListTokens, v1::ListTokensRequest());
}

absl::StatusOr<v1::Token> Client::RevokeToken(const std::string& name) const {
  v1::RevokeTokenRequest request;
  request.set_name(name);
  return Call(&v1::Coordinator::Stub::RevokeToken, request);
}

absl::StatusOr<v1::ListAuditResponse> Client::ListAudit(const v1::ListAuditRequest& request) const {
  return Call(&v1::Coordinator::Stub::ListAudit, request);
}

absl::StatusOr<std::vector<v1::FrontierPoint>> Client::ListPoints(v1::ListPointsRequest request) const {
  std::vector<v1::FrontierPoint> points;
  while (true) {
    ASSIGN_OR_RETURN(const v1::ListPointsResponse page, Call(&v1::Coordinator::Stub::ListPoints, request));
    points.insert(points.end(), page.points().begin(), page.points().end());
    if (page.next_page_token().empty()) return points;
    request.set_page_token(page.next_page_token());
  }
}

absl::StatusOr<v1::GetMetricsResponse> Client::GetMetrics(const std::string& job) const {
  v1::GetMetricsRequest request;
  request.set_job(job);
  request.set_after_step(-1);
  v1::GetMetricsResponse all;
  while (true) {
    ASSIGN_OR_RETURN(const v1::GetMetricsResponse more, Call(&v1::Coordinator::Stub::GetMetrics, request));
    if (more.points().empty()) return all;
    request.set_after_step(more.points().rbegin()->step());
    all.MergeFrom(more);
  }
}

absl::StatusOr<v1::ListWorkersResponse> Client::ListWorkers() const {
  return Call(&v1::Coordinator::Stub::ListWorkers, v1::ListWorkersRequest());
}

absl::Status Client::WatchJob(const std::string& job, milliseconds deadline,
                              const std::function<bool(const v1::Job&)>& on_message) const {
  LetConnect();
  grpc::ClientContext context;
  SetDeadline(&context, deadline);
  v1::WatchJobRequest request;
  request.set_job(job);
  return ReadStream<v1::Job>(&context, stub_->WatchJob(&context, request), address_, on_message);
}

absl::Status Client::StreamLogs(const v1::StreamLogsRequest& request, milliseconds deadline,
                                const std::function<bool(const v1::LogLine&)>& on_message) const {
  LetConnect();
  grpc::ClientContext context;
  SetDeadline(&context, deadline);
  return ReadStream<v1::LogLine>(&context, stub_->StreamLogs(&context, request), address_, on_message);
}

absl::Status Reconnector::Failed(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kUnavailable && status.code() != absl::StatusCode::kDeadlineExceeded) {
    return status;
  }
  const int64_t now_ms = clock_.MonotonicMs();
  if (away_since_ms_ < 0) {
    away_since_ms_ = now_ms;
    PrintErr("ridgeline: no answer from the coordinator at {}; trying again\n", address_);
  }
  if (now_ms - away_since_ms_ >= options_.give_up_after.count()) return status;
  SleepUnlessInterrupted(options_.pause);
  return absl::OkStatus();
}

void Reconnector::Worked() {
  if (away_since_ms_ >= 0) PrintErr("ridgeline: the coordinator is back\n");
  away_since_ms_ = -1;
}

}  // namespace ridgeline
