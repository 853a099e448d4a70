// SPDX-License-Identifier: Apache-2.0
// The coordinator, called. Every call has a deadline; only UNAVAILABLE is tried again, with backoff.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "ridgeline/v1/coordinator.grpc.pb.h"

namespace ridgeline {

struct CallPolicy {
  std::chrono::milliseconds deadline{10'000};  // Of one try.
  std::chrono::milliseconds retry_for{5'000};  // How long UNAVAILABLE is tried again; 0: one try.
};

// The gRPC status as ours. Unreachable coordinators get a message with the address and what to do.
absl::Status FromGrpcStatus(const grpc::Status& status, const std::string& address);

// Thread-safe. Statuses are the coordinator's own, with its message.
class Client {
 public:
  // `channel` leads to the coordinator at `address`, which is for messages (Session::Connect makes both).
  Client(std::string address, std::shared_ptr<grpc::Channel> channel, CallPolicy policy = {});

  const std::string& address() const { return address_; }
  // The same channel with other limits.
  Client WithPolicy(CallPolicy policy) const;

  // Texts of all answers are printable (common/printable.h), whatever the server sent.
  absl::StatusOr<v1::Info> GetInfo() const;
  absl::StatusOr<v1::SubmitJobResponse> SubmitJob(const v1::SubmitJobRequest& request) const;
  absl::StatusOr<v1::Job> GetJob(const std::string& job) const;
  // All pages. The second form hands on each as it comes, until `on_page` returns false.
  absl::StatusOr<std::vector<v1::Job>> ListJobs(const v1::ListJobsRequest& request) const;
  absl::Status ListJobs(v1::ListJobsRequest request,
                        const std::function<bool(const v1::ListJobsResponse&)>& on_page) const;
  absl::StatusOr<v1::Job> CancelJob(const std::string& job) const;
  absl::StatusOr<v1::Job> RetryJob(const std::string& job) const;
  absl::StatusOr<v1::Job> ChangeJob(const v1::ChangeJobRequest& request) const;
  absl::StatusOr<v1::ListQueuesResponse> ListQueues() const;
  absl::StatusOr<v1::Queue> SetQueue(const v1::SetQueueRequest& request) const;
  absl::StatusOr<v1::WorkerGroup> DrainWorker(const std::string& group_id, bool undo) const;
  absl::StatusOr<v1::CreateTokenResponse> CreateToken(const v1::CreateTokenRequest& request) const;
  absl::StatusOr<v1::ListTokensResponse> ListTokens() const;
  absl::StatusOr<v1::Token> RevokeToken(const std::string& name) const;
  absl::StatusOr<v1::ListAuditResponse> ListAudit(const v1::ListAuditRequest& request) const;
  absl::StatusOr<std::vector<v1::FrontierPoint>> ListPoints(v1::ListPointsRequest request) const;  // Of all pages.
  absl::StatusOr<v1::GetMetricsResponse> GetMetrics(const std::string& job) const;                 // All points so far.
  absl::StatusOr<v1::ListWorkersResponse> ListWorkers() const;

  // One stream, until it ends, breaks, passes `deadline`, is interrupted (CANCELLED), or `on_message` returns false
  // (OK). Not tried again: the caller knows where to go on (Reconnector).
  absl::Status WatchJob(const std::string& job, std::chrono::milliseconds deadline,
                        const std::function<bool(const v1::Job&)>& on_message) const;
  absl::Status StreamLogs(const v1::StreamLogsRequest& request, std::chrono::milliseconds deadline,
                          const std::function<bool(const v1::LogLine&)>& on_message) const;

 private:
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (v1::Coordinator::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                              Response*),
                                const Request& request) const;

  // Gives a channel that lost its server a moment to connect again. gRPC's blocking calls fail at once on such a
  // channel, and nothing else polls its socket.
  void LetConnect() const;

  std::string address_;
  CallPolicy policy_;
  std::shared_ptr<grpc::Channel> channel_;
  std::shared_ptr<v1::Coordinator::Stub> stub_;
};

// Carries verbs that follow a job over a coordinator's absence: says so once, waits, and gives up in the end.
class Reconnector {
 public:
  struct Options {
    std::chrono::milliseconds give_up_after{60'000};
    std::chrono::milliseconds pause{1'000};
  };
  Reconnector(std::string address, const Clock& clock, Options options)
      : address_(std::move(address)), clock_(clock), options_(options) {}
  Reconnector(std::string address, const Clock& clock) : Reconnector(std::move(address), clock, Options()) {}

  // After a call that failed. OK after a pause: try again. Otherwise the error to end with.
  absl::Status Failed(const absl::Status& status);
  // After a call that worked.
  void Worked();

 private:
  std::string address_;
  const Clock& clock_;
  Options options_;
  int64_t away_since_ms_ = -1;  // Monotonic; -1: not away.
};

}  // namespace ridgeline
