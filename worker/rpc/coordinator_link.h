// SPDX-License-Identifier: Apache-2.0
// Rank 0's stream to the coordinator. Connects by itself, again and again; what is to be durable is spooled until the
// coordinator acknowledges it, so that training goes on while the coordinator is away. Checkpoints and results are kept
// in a file, too: a group that ends meanwhile hands them in when it is started again.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "ridgeline/v1/worker.grpc.pb.h"
#include "worker/rpc/spool_file.h"
#include "worker/rpc/spool_keeper.h"

namespace ridgeline {

struct LinkOptions {
  size_t max_records = 20'000;  // In the spool; metrics and logs beyond that push out the oldest of their kind.
  int max_batch = 200;          // Metric points or log lines in one record.
  std::chrono::milliseconds batch_interval{200};
  std::chrono::milliseconds first_backoff{100};
  std::chrono::milliseconds longest_backoff{3'000};
  // What is in use of the GPUs that this rank answers for; called for each heartbeat, from a thread of the link. May be
  // empty.
  std::function<int64_t()> device_memory_bytes;
  std::string spool_path;  // The group's (SpoolPath); empty: the spool is in memory only.
};

// Thread-safe. Owns its threads; the destructor closes the stream and joins them.
class CoordinatorLink {
 public:
  // `channel` leads to the coordinator at `address`, which is for messages (net/channel.h makes it). `hello` says who
  // the group is; job and epoch in it are filled in at each connect. What an earlier start has left in
  // the spool's file is handed in before this one says Hello; a file that is damaged is put aside.
  CoordinatorLink(const std::string& address, std::shared_ptr<grpc::Channel> channel, const v1::Hello& hello,
                  const LinkOptions& options = {});
  ~CoordinatorLink();
  CoordinatorLink(const CoordinatorLink&) = delete;
  CoordinatorLink& operator=(const CoordinatorLink&) = delete;

  // The next assignment, or nothing after wait_ms. The attempt is current from its arrival until SendResult.
  std::optional<v1::Assign> NextAssignment(int64_t wait_ms);

  // All about the current attempt, whose job and epoch are filled in; without one, what is sent is dropped.
  // Metrics and log lines are batched; the oldest are dropped when the spool is full.
  void SendMetrics(const v1::MetricPoint& point);
  void SendLog(const v1::LogLine& line);
  void SendCheckpoint(const v1::CheckpointCommitted& checkpoint);
  // Ends the current attempt.
  void SendResult(v1::AttemptResult result);

  // What the group's other ranks hold of memory, for heartbeats, which add this process's own.
  void SetOthersMemory(int64_t bytes) { others_memory_bytes_ = bytes; }
  // The same of GPUs.
  void SetOthersDeviceMemory(int64_t bytes) { others_device_bytes_ = bytes; }

  // What this rank has exchanged with the others since the group's start, for heartbeats.
  void SetCollectives(google::protobuf::RepeatedPtrField<v1::CollectiveCount> counts);

  // Whether there is a current attempt.
  bool has_attempt();

  // True once the coordinator has cancelled the current attempt, or given its job to another group.
  bool cancelled() const { return cancelled_; }

  // True once the coordinator has asked the current attempt to commit a checkpoint and end.
  bool preempted() const { return preempted_; }
  // Why, for people; empty until then.
  std::string preempt_reason();

  // Waits until everything is acknowledged; false if that takes longer. Then checkpoints and results stand in the
  // spool's file, if there is one and the disk takes it within a second.
  bool Flush(int64_t wait_ms);

 private:
  using Stream = grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>;

  struct Record {
    v1::WorkerMessage message;
    bool may_drop = false;  // Metrics and logs, under pressure.
    bool sent = false;      // On the present connection.
  };

  using Clock = std::chrono::steady_clock;  // Heartbeats go on when the wall clock jumps.

  void ConnectForever();
  // Returns whether nothing is left of an earlier start. On the link's thread.
  bool HandInEarlier();
  Spool ReadEarlier() const;
  void RunOneConnection();
  void SetContext(grpc::ClientContext* context);
  bool Introduce(Stream& stream);
  bool Welcomed(const v1::CoordinatorMessage& answer);
  void WriteUntilBroken(Stream& stream, const std::atomic<bool>& broken);
  // What is to be written now; nothing after a wait.
  std::optional<v1::WorkerMessage> NextMessage(Clock::time_point* next_heartbeat, Clock::time_point* next_batch);
  void Handle(const v1::CoordinatorMessage& message);
  void ReportLost(const std::string& why);

  // REQUIRES: mutex_ is held.
  v1::Hello HelloWithClaim() const;
  void MoveBatchesToSpool();
  void AddToSpool(v1::WorkerMessage message, bool may_drop);
  // Those that a trial which REACHED its step is judged by.
  void KeepNewestPoints();
  void KeepOnDisk();
  void NoteRefused(const std::string& reason);
  void Acknowledge(int64_t sequence);
  void Begin(const v1::Assign& assign);
  bool IsCurrent(const std::string& job_id, int64_t epoch) const;

  const std::string address_;
  const v1::Hello hello_;
  const LinkOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::WorkerGateway::Stub> stub_;
  SpoolKeeper keeper_;
  std::optional<Spool> earlier_;  // Of the link's thread; nothing: not looked yet.
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> preempted_{false};
  std::atomic<bool> closing_{false};
  std::atomic<int64_t> others_memory_bytes_{0};
  std::atomic<int64_t> others_device_bytes_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_:
  std::map<int64_t, Record> spool_;  // By sequence.
  int64_t next_sequence_ = 1;
  v1::MetricBatch metrics_;
  v1::LogBatch logs_;
  std::vector<v1::MetricPoint> newest_points_;  // With losses, of the current attempt's newest step.
  google::protobuf::RepeatedPtrField<v1::CollectiveCount> collectives_;
  std::optional<v1::Assign> waiting_assignment_;
  std::string job_id_;  // Of the current attempt; empty when idle.
  int64_t epoch_ = 0;
  std::string preempt_reason_;
  std::chrono::milliseconds heartbeat_interval_{1'000};
  grpc::ClientContext* context_ = nullptr;  // Of the present connection.
  bool was_connected_ = false;
  bool has_complained_ = false;
  bool was_refused_ = false;

  std::thread thread_;
};

}  // namespace ridgeline
