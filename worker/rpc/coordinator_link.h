// SPDX-License-Identifier: Apache-2.0
// Rank 0's stream to the coordinator. Connects by itself, again and again; what is to be durable is spooled in memory
// until the coordinator acknowledges it, so that training goes on while the coordinator is away.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "ridgeline/v1/worker.grpc.pb.h"

namespace ridgeline {

// Thread-safe. Owns its threads; the destructor closes the stream and joins them.
class CoordinatorLink {
 public:
  // `hello` says who the group is; job and epoch in it are filled in at each connect.
  CoordinatorLink(const std::string& address, const v1::Hello& hello);
  ~CoordinatorLink();
  CoordinatorLink(const CoordinatorLink&) = delete;
  CoordinatorLink& operator=(const CoordinatorLink&) = delete;

  // The next assignment, or nothing after wait_ms. The attempt is current until SendResult.
  std::optional<v1::Assign> NextAssignment(int64_t wait_ms);

  // All about the current attempt. Metrics and log lines are batched; the oldest are dropped when the spool is full.
  void SendMetrics(const v1::MetricPoint& point);
  void SendLog(const v1::LogLine& line);
  void SendCheckpoint(const v1::Checkpoint& checkpoint);
  void SendResult(v1::AttemptOutcome outcome, const std::string& detail, const v1::FrontierPoint* point);

  // True once the coordinator has cancelled the current attempt, or given its job to another group.
  bool cancelled() const { return cancelled_; }

  // Waits until everything is acknowledged; false if that takes longer.
  bool Flush(int64_t wait_ms);

 private:
  using Stream = grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>;

  void ConnectForever();
  void RunOneConnection();
  bool Introduce(Stream& stream);
  void ClaimAttempt(v1::Hello* hello) const;
  void WriteUntilBroken(Stream& stream, const std::atomic<bool>& broken);
  void Handle(const v1::CoordinatorMessage& message);
  void MoveBatchesToSpool();
  void AddToSpool(v1::WorkerMessage message, bool may_drop);
  void ReportConnected(bool connected, const std::string& why);

  const std::string address_;
  const v1::Hello hello_;
  const std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::WorkerGateway::Stub> stub_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> closing_{false};

  struct Record {
    v1::WorkerMessage message;
    bool may_drop = false;  // Metrics and logs, under pressure.
    bool sent = false;      // On the present connection.
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_:
  std::map<int64_t, Record> spool_;  // By sequence.
  int64_t next_sequence_ = 1;
  v1::MetricBatch metrics_;
  v1::LogBatch logs_;
  std::optional<v1::Assign> waiting_assignment_;
  std::string job_id_;  // Of the current attempt; empty when idle.
  int64_t epoch_ = 0;
  int64_t heartbeat_interval_ms_ = 1000;
  grpc::ClientContext* context_ = nullptr;  // Of the present connection.
  bool was_connected_ = false;
  bool has_complained_ = false;

  std::thread thread_;
};

}  // namespace ridgeline
