// SPDX-License-Identifier: Apache-2.0
// What tests of the link share: a real gRPC server in this process, whose side of the protocol each test plays.
#pragma once

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fmt/format.h"
#include "net/channel.h"
#include "worker/rpc/coordinator_link.h"

namespace ridgeline {

inline constexpr auto kPatience = std::chrono::seconds(60);  // Only a failure waits so long.

// Plays the coordinator. Thread-safe.
class Gateway final : public v1::WorkerGateway::Service {
 public:
  using ServerStream = grpc::ServerReaderWriter<v1::CoordinatorMessage, v1::WorkerMessage>;

  grpc::Status Attach(grpc::ServerContext* context, ServerStream* stream) override {
    v1::WorkerMessage message;
    if (!stream->Read(&message)) return grpc::Status::OK;
    Begin(context, stream, message.hello());
    while (stream->Read(&message)) Keep(message);
    std::lock_guard lock(mutex_);
    stream_ = nullptr;
    if (!context->IsCancelled()) ++goodbyes_;
    changed_.notify_all();
    return grpc::Status::OK;
  }

  // How it behaves from now on.
  void Acknowledge(bool yes) { acknowledges_ = yes; }
  void Refuse(const std::string& reason) {
    std::lock_guard lock(mutex_);
    refusal_ = reason;
  }

  void Send(const v1::CoordinatorMessage& message) {
    std::lock_guard lock(mutex_);
    ASSERT_NE(stream_, nullptr);
    stream_->Write(message);
  }
  void Assign(const std::string& job, int64_t epoch) {
    v1::CoordinatorMessage message;
    message.mutable_assign()->set_job_id(job);
    message.mutable_assign()->set_epoch(epoch);
    Send(message);
  }
  void Cancel(const std::string& job, int64_t epoch) {
    v1::CoordinatorMessage message;
    message.mutable_cancel()->set_job_id(job);
    message.mutable_cancel()->set_epoch(epoch);
    Send(message);
  }
  void Preempt(const std::string& job, int64_t epoch, const std::string& reason) {
    v1::CoordinatorMessage message;
    message.mutable_preempt()->set_job_id(job);
    message.mutable_preempt()->set_epoch(epoch);
    message.mutable_preempt()->set_reason(reason);
    Send(message);
  }
  void Cut() {
    std::lock_guard lock(mutex_);
    if (stream_ != nullptr) context_->TryCancel();
  }

  // Waits until `count` groups have said hello, and gives the last of them.
  v1::Hello Hello(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return hellos_.size() >= count && stream_ != nullptr; }));
    return hellos_.empty() ? v1::Hello() : hellos_.back();
  }
  // Records of all connections, once `enough` says so of them.
  std::vector<v1::WorkerMessage> Records(const std::function<bool(const std::vector<v1::WorkerMessage>&)>& enough) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return enough(records_); }));
    return records_;
  }
  // The incarnation that sent each of them.
  std::vector<std::string> Senders() {
    std::lock_guard lock(mutex_);
    return senders_;
  }
  std::vector<v1::Hello> Hellos() {
    std::lock_guard lock(mutex_);
    return hellos_;
  }
  std::vector<v1::WorkerMessage> Records(size_t count) {
    return Records([&](const auto& records) { return records.size() >= count; });
  }
  v1::Heartbeat NextHeartbeat() {
    std::unique_lock lock(mutex_);
    heartbeats_.clear();
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return !heartbeats_.empty(); }));
    return heartbeats_.empty() ? v1::Heartbeat() : heartbeats_.front();
  }
  bool HeardGoodbye() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return goodbyes_ > 0; });
  }

 private:
  void Begin(grpc::ServerContext* context, ServerStream* stream, const v1::Hello& hello) {
    std::lock_guard lock(mutex_);
    v1::CoordinatorMessage answer;
    if (refusal_.empty())
      answer.mutable_welcome()->set_heartbeat_interval_ms(20);
    else
      answer.mutable_refused()->set_reason(refusal_);
    stream->Write(answer);
    hellos_.push_back(hello);
    context_ = context;
    stream_ = stream;
    changed_.notify_all();
  }
  void Keep(const v1::WorkerMessage& message) {
    std::lock_guard lock(mutex_);
    if (message.has_heartbeat()) {
      heartbeats_.push_back(message.heartbeat());
    } else {
      records_.push_back(message);
      senders_.push_back(hellos_.back().incarnation());
      v1::CoordinatorMessage ack;
      ack.mutable_ack()->set_sequence(message.sequence());
      if (acknowledges_ && stream_ != nullptr) stream_->Write(ack);
    }
    changed_.notify_all();
  }

  std::atomic<bool> acknowledges_{true};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string refusal_;
  grpc::ServerContext* context_ = nullptr;
  ServerStream* stream_ = nullptr;
  std::vector<v1::Hello> hellos_;
  std::vector<v1::WorkerMessage> records_;
  std::vector<std::string> senders_;
  std::deque<v1::Heartbeat> heartbeats_;
  int goodbyes_ = 0;
};

class CoordinatorLinkTest : public testing::Test {
 protected:
  void SetUp() override { StartServer(0); }
  void TearDown() override {
    link_.reset();
    StopServer();
  }

  void StartServer(int port) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(fmt::format("127.0.0.1:{}", port), grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&gateway_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  void StopServer() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
  }

  void Connect(size_t max_records = 20'000, const std::string& incarnation = "first") {
    v1::Hello hello;
    hello.set_group_id("group");
    hello.set_incarnation(incarnation);
    hello.set_ranks(2);
    const LinkOptions quick{.max_records = max_records,
                            .max_batch = 3,
                            .batch_interval = std::chrono::milliseconds(5),
                            .first_backoff = std::chrono::milliseconds(5),
                            .longest_backoff = std::chrono::milliseconds(50),
                            .device_memory_bytes = [] { return int64_t{1'000}; },
                            .spool_path = spool_path_};
    const std::string address = fmt::format("127.0.0.1:{}", port_);
    link_ = std::make_unique<CoordinatorLink>(address, *MakeChannel(address), hello, quick);
  }
  // The group's processes end: nothing is said any more.
  void EndLink() { link_.reset(); }
  // Connected, with a current attempt.
  void ConnectWith(const std::string& job, int64_t epoch) {
    Connect();
    gateway_.Hello(1);
    Begin(job, epoch);
  }
  void Begin(const std::string& job, int64_t epoch) {
    gateway_.Assign(job, epoch);
    const auto assignment = link_->NextAssignment(kPatienceMs);
    ASSERT_TRUE(assignment.has_value());
    EXPECT_EQ(assignment->job_id(), job);
    EXPECT_EQ(assignment->epoch(), epoch);
  }
  bool WaitForCancel() const {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!link_->cancelled() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return link_->cancelled();
  }

  void SendCheckpoint(int64_t step) {
    v1::CheckpointCommitted message;
    message.mutable_checkpoint()->set_step(step);
    link_->SendCheckpoint(message);
  }
  void SendPoint(int64_t step) {
    v1::MetricPoint point;
    point.set_step(step);
    link_->SendMetrics(point);
  }
  void SendResult(v1::AttemptOutcome outcome) {
    v1::AttemptResult result;
    result.set_outcome(outcome);
    link_->SendResult(std::move(result));
  }

  static constexpr int64_t kPatienceMs = 60'000;
  std::string spool_path_;  // Of links that are made from now on.
  Gateway gateway_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  std::unique_ptr<CoordinatorLink> link_;
};

inline std::vector<int64_t> CheckpointSteps(const std::vector<v1::WorkerMessage>& records) {
  std::vector<int64_t> steps;
  for (const v1::WorkerMessage& record : records)
    if (record.has_checkpoint()) steps.push_back(record.checkpoint().checkpoint().step());
  return steps;
}

inline std::vector<int64_t> PointSteps(const std::vector<v1::WorkerMessage>& records) {
  std::vector<int64_t> steps;
  for (const v1::WorkerMessage& record : records)
    for (const v1::MetricPoint& point : record.metrics().points()) steps.push_back(point.step());
  return steps;
}

}  // namespace ridgeline
