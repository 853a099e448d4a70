// SPDX-License-Identifier: Apache-2.0
// The link against a real gRPC server in this process, whose side of the protocol each test plays.
#include "worker/rpc/coordinator_link.h"

#include "worker/rpc/link_test.h"

namespace ridgeline {
namespace {

using testing::ElementsAre;

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

TEST_F(CoordinatorLinkTest, OnlyTheCurrentAttemptIsPreemptedAndSaysWhy) {
  ConnectWith("job-1", 2);
  gateway_.Preempt("job-1", 1, "stale");
  gateway_.Preempt("job-2", 2, "another's");
  SendCheckpoint(1);
  ASSERT_TRUE(link_->Flush(kPatienceMs));  // Its acknowledgement came behind both.
  EXPECT_FALSE(link_->preempted());
  gateway_.Preempt("job-1", 2, "job-9 goes first");
  SendCheckpoint(2);
  ASSERT_TRUE(link_->Flush(kPatienceMs));
  EXPECT_TRUE(link_->preempted());
  EXPECT_EQ(link_->preempt_reason(), "job-9 goes first");
  EXPECT_FALSE(link_->cancelled());
  SendResult(v1::PREEMPTED);
  Begin("job-3", 1);
  EXPECT_FALSE(link_->preempted()) << "the next attempt is another one";
  EXPECT_EQ(link_->preempt_reason(), "");
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
