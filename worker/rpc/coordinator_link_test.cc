// SPDX-License-Identifier: Apache-2.0
// The link against a real gRPC server in this process, whose side of the protocol each test plays.
#include "worker/rpc/coordinator_link.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "common/memory.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kPatience = std::chrono::seconds(60);  // Only a failure waits so long.

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

  void Connect(size_t max_records = 20'000) {
    v1::Hello hello;
    hello.set_group_id("group");
    hello.set_incarnation("first");
    hello.set_ranks(2);
    const LinkOptions quick{.max_records = max_records,
                            .max_batch = 3,
                            .batch_interval = milliseconds(5),
                            .first_backoff = milliseconds(5),
                            .longest_backoff = milliseconds(50),
                            .device_memory_bytes = [] { return int64_t{1'000}; }};
    link_ = std::make_unique<CoordinatorLink>(fmt::format("127.0.0.1:{}", port_), hello, quick);
  }
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
      std::this_thread::sleep_for(milliseconds(5));
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
  Gateway gateway_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  std::unique_ptr<CoordinatorLink> link_;
};

std::vector<int64_t> CheckpointSteps(const std::vector<v1::WorkerMessage>& records) {
  std::vector<int64_t> steps;
  for (const v1::WorkerMessage& record : records)
    if (record.has_checkpoint()) steps.push_back(record.checkpoint().checkpoint().step());
  return steps;
}

std::vector<int64_t> PointSteps(const std::vector<v1::WorkerMessage>& records) {
  std::vector<int64_t> steps;
  for (const v1::WorkerMessage& record : records)
    for (const v1::MetricPoint& point : record.metrics().points()) steps.push_back(point.step());
  return steps;
}

TEST_F(CoordinatorLinkTest, SaysWhoItIsAndWhatAllRanksHold) {
  Connect();
  const v1::Hello hello = gateway_.Hello(1);
  EXPECT_EQ(hello.group_id(), "group");
  EXPECT_EQ(hello.ranks(), 2);
  EXPECT_EQ(hello.job_id(), "");
  EXPECT_GT(gateway_.NextHeartbeat().memory_used_bytes(), 0);
  constexpr int64_t kOthers = int64_t{1} << 50;  // Far beyond what this process can hold.
  link_->SetOthersMemory(kOthers);
  gateway_.NextHeartbeat();  // May have been on its way.
  EXPECT_GT(gateway_.NextHeartbeat().memory_used_bytes(), kOthers);
}

TEST_F(CoordinatorLinkTest, HeartbeatsSayWhatIsInUseOfAllRanksGpus) {
  Connect();
  EXPECT_EQ(gateway_.NextHeartbeat().device_memory_used_bytes(), 1'000);
  link_->SetOthersDeviceMemory(500);
  gateway_.NextHeartbeat();  // May have been on its way.
  EXPECT_EQ(gateway_.NextHeartbeat().device_memory_used_bytes(), 1'500);
}

TEST_F(CoordinatorLinkTest, HeartbeatsSayWhatHasBeenExchanged) {
  Connect();
  EXPECT_EQ(gateway_.NextHeartbeat().collectives_size(), 0);
  google::protobuf::RepeatedPtrField<v1::CollectiveCount> counts;
  counts.Add()->set_bytes(1'234);
  link_->SetCollectives(counts);
  gateway_.NextHeartbeat();  // May have been on its way.
  const v1::Heartbeat heartbeat = gateway_.NextHeartbeat();
  ASSERT_EQ(heartbeat.collectives_size(), 1);
  EXPECT_EQ(heartbeat.collectives(0).bytes(), 1'234);
}

TEST_F(CoordinatorLinkTest, RecordsOfAnAttemptCarryItAndComeInOrder) {
  ConnectWith("job-7", 3);
  for (int64_t step = 1; step <= 7; ++step) SendPoint(step);
  v1::LogLine line;
  line.set_rank(1);
  line.set_text("not \xff UTF-8");
  link_->SendLog(line);
  SendCheckpoint(7);
  SendResult(v1::COMPLETED);
  ASSERT_TRUE(link_->Flush(kPatienceMs));
  const auto records = gateway_.Records(1);
  EXPECT_THAT(PointSteps(records), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(CheckpointSteps(records), ElementsAre(7));
  EXPECT_EQ(records.back().result().job_id(), "job-7");
  EXPECT_EQ(records.back().result().epoch(), 3);
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].sequence(), static_cast<int64_t>(i + 1));
    EXPECT_LE(records[i].metrics().points_size(), 3);
    if (records[i].has_metrics()) {
      EXPECT_EQ(records[i].metrics().job_id(), "job-7");
    }
    for (const v1::LogLine& logged : records[i].logs().lines()) {
      EXPECT_EQ(logged.text(), "not ? UTF-8");
      EXPECT_EQ(logged.rank(), 1);
      EXPECT_EQ(records[i].logs().epoch(), 3);
    }
  }
}

TEST_F(CoordinatorLinkTest, WithoutAnAttemptPointsAndLinesAreDropped) {
  Connect();
  gateway_.Hello(1);
  SendPoint(1);
  link_->SendLog(v1::LogLine());
  Begin("job-1", 1);
  SendPoint(2);
  SendResult(v1::COMPLETED);
  ASSERT_TRUE(link_->Flush(kPatienceMs));
  EXPECT_THAT(PointSteps(gateway_.Records(2)), ElementsAre(2));
}

TEST_F(CoordinatorLinkTest, WhatIsSaidWhileNobodyListensArrivesLater) {
  ConnectWith("job-1", 1);
  StopServer();
  SendPoint(1);
  SendCheckpoint(1);
  SendResult(v1::COMPLETED);
  EXPECT_FALSE(link_->Flush(50));
  StartServer(port_);
  EXPECT_TRUE(link_->Flush(kPatienceMs));
  const auto records = gateway_.Records(3);
  EXPECT_THAT(PointSteps(records), ElementsAre(1));
  EXPECT_THAT(CheckpointSteps(records), ElementsAre(1));
  EXPECT_EQ(records.back().result().outcome(), v1::COMPLETED);
}

TEST_F(CoordinatorLinkTest, WhatWasNotAcknowledgedComesAgainAndNothingElse) {
  ConnectWith("job-1", 1);
  SendCheckpoint(1);
  ASSERT_TRUE(link_->Flush(kPatienceMs));
  gateway_.Acknowledge(false);
  SendCheckpoint(2);
  gateway_.Records(2);
  EXPECT_FALSE(link_->Flush(50));
  gateway_.Acknowledge(true);
  gateway_.Cut();
  gateway_.Hello(2);
  EXPECT_TRUE(link_->Flush(kPatienceMs));
  const auto records = gateway_.Records(3);
  EXPECT_THAT(CheckpointSteps(records), ElementsAre(1, 2, 2));
  EXPECT_EQ(records[1].sequence(), records[2].sequence());
}

TEST_F(CoordinatorLinkTest, AFullSpoolDropsItsOldestPointsAndNeverCheckpointsOrResults) {
  Connect(/*max_records=*/10);
  gateway_.Hello(1);
  Begin("job-1", 1);
  StopServer();
  for (int64_t step = 1; step <= 90; ++step) {  // 30 batches of three.
    SendPoint(step);
    if (step % 30 == 0) SendCheckpoint(step);
  }
  SendResult(v1::COMPLETED);
  StartServer(port_);
  ASSERT_TRUE(link_->Flush(kPatienceMs));
  const auto records = gateway_.Records([](const auto& all) { return !all.empty() && all.back().has_result(); });
  EXPECT_THAT(CheckpointSteps(records), ElementsAre(30, 60, 90));
  const std::vector<int64_t> steps = PointSteps(records);
  ASSERT_FALSE(steps.empty());
  EXPECT_LE(steps.size(), 3u * 10);
  EXPECT_EQ(steps.back(), 90);
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
}

TEST_F(CoordinatorLinkTest, AReconnectClaimsTheAttemptThatStillRuns) {
  ConnectWith("job-4", 2);
  gateway_.Cut();
  const v1::Hello hello = gateway_.Hello(2);
  EXPECT_EQ(hello.incarnation(), "first");
  EXPECT_EQ(hello.job_id(), "job-4");
  EXPECT_EQ(hello.epoch(), 2);
}

TEST_F(CoordinatorLinkTest, AReconnectClaimsAnEndedAttemptWhoseResultNobodyAcknowledged) {
  ConnectWith("job-4", 2);
  gateway_.Acknowledge(false);
  SendResult(v1::COMPLETED);
  gateway_.Records(1);
  gateway_.Cut();
  EXPECT_EQ(gateway_.Hello(2).job_id(), "job-4");
  gateway_.Acknowledge(true);
  gateway_.Cut();
  gateway_.Hello(3);
  ASSERT_TRUE(link_->Flush(kPatienceMs));
  gateway_.Cut();
  EXPECT_EQ(gateway_.Hello(4).job_id(), "");
}

TEST_F(CoordinatorLinkTest, ARefusedGroupStopsWhatItRuns) {
  ConnectWith("job-1", 1);
  EXPECT_FALSE(link_->cancelled());
  gateway_.Refuse("another start of this group has taken its place");
  gateway_.Cut();
  EXPECT_TRUE(WaitForCancel());
}

TEST_F(CoordinatorLinkTest, OnlyTheCurrentAttemptIsCancelled) {
  ConnectWith("job-1", 2);
  gateway_.Cancel("job-1", 1);  // A stale epoch.
  gateway_.Cancel("job-2", 2);
  SendCheckpoint(1);
  ASSERT_TRUE(link_->Flush(kPatienceMs));  // Its acknowledgement came behind both.
  EXPECT_FALSE(link_->cancelled());
  gateway_.Cancel("job-1", 2);
  EXPECT_TRUE(WaitForCancel());
  SendResult(v1::STOPPED);
  Begin("job-3", 1);
  EXPECT_FALSE(link_->cancelled()) << "the next attempt is another one";
}

TEST_F(CoordinatorLinkTest, AnAssignmentThatIsSaidTwiceIsTakenOnce) {
  ConnectWith("job-1", 1);
  EXPECT_TRUE(link_->has_attempt());
  gateway_.Assign("job-1", 1);
  gateway_.Assign("job-2", 1);  // While the first still runs.
  SendCheckpoint(1);
  ASSERT_TRUE(link_->Flush(kPatienceMs));
  EXPECT_FALSE(link_->NextAssignment(0).has_value());
  SendResult(v1::COMPLETED);
  EXPECT_FALSE(link_->has_attempt());
  Begin("job-2", 1);
}

TEST_F(CoordinatorLinkTest, ItSaysGoodbye) {
  Connect();
  gateway_.Hello(1);
  link_.reset();
  EXPECT_TRUE(gateway_.HeardGoodbye());
}

TEST_F(CoordinatorLinkTest, ItEndsWhereNobodyEverAnswered) {
  StopServer();
  Connect();
  EXPECT_FALSE(link_->NextAssignment(20).has_value());
  link_.reset();
}

}  // namespace
}  // namespace ridgeline
