// SPDX-License-Identifier: Apache-2.0
// Groups that end while the coordinator is away, and are started again: what they had to say arrives, as theirs.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/file.h"
#include "worker/rpc/link_test.h"
#include "worker/rpc/spool_file.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using testing::Each;
using testing::ElementsAre;

class SpooledLinkTest : public CoordinatorLinkTest {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("ridgeline_spooled_link_test_{}", ::getpid());
    fs::remove_all(folder_);
    spool_path_ = SpoolPath(folder_.string(), "group");
    CoordinatorLinkTest::SetUp();
  }
  void TearDown() override {
    CoordinatorLinkTest::TearDown();
    fs::remove_all(folder_);
  }

  // A group has finished a job while nobody listened, and is gone.
  void FinishWhileNobodyListens() {
    ConnectWith("job-1", 3);
    StopServer();
    SendPoint(5);
    SendCheckpoint(5);
    SendResult(v1::COMPLETED);
    EXPECT_FALSE(link_->Flush(50));
    EndLink();
  }
  Spool OnDisk() const {
    const auto spool = ReadSpool(spool_path_, "group");
    EXPECT_TRUE(spool.ok()) << spool.status();
    return spool.ok() ? spool->value_or(Spool()) : Spool();
  }
  bool WaitUntilNoFile() const {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (fs::exists(spool_path_) && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return !fs::exists(spool_path_);
  }

  fs::path folder_;
};

TEST_F(SpooledLinkTest, AGroupThatFinishedWhileNobodyListenedHandsItsResultInWhenItIsStartedAgain) {
  FinishWhileNobodyListens();
  ASSERT_EQ(OnDisk().records.size(), 2u);
  StartServer(port_);
  Connect(20'000, "second");
  const v1::Hello own = gateway_.Hello(3);
  EXPECT_EQ(own.incarnation(), "second");
  EXPECT_EQ(own.job_id(), "");
  const v1::Hello earlier = gateway_.Hellos()[1];
  EXPECT_EQ(earlier.incarnation(), "first");
  EXPECT_EQ(earlier.group_id(), "group");
  EXPECT_EQ(earlier.ranks(), 0) << "nobody must give it a job";
  EXPECT_EQ(earlier.job_id(), "job-1");
  EXPECT_EQ(earlier.epoch(), 3);
  const auto records = gateway_.Records(2);
  EXPECT_THAT(CheckpointSteps(records), ElementsAre(5));
  EXPECT_EQ(records.back().result().outcome(), v1::COMPLETED);
  EXPECT_EQ(records.back().result().epoch(), 3);
  EXPECT_THAT(gateway_.Senders(), Each("first"));
  EXPECT_TRUE(WaitUntilNoFile());
  Begin("job-2", 1);  // And it works.
}

TEST_F(SpooledLinkTest, ATrialThatReachedItsStepHandsInWhatItIsJudgedBy) {
  ConnectWith("job-1", 3);
  StopServer();
  v1::MetricPoint trained, validated, phase;
  for (int64_t step = 1; step <= 8; ++step) {
    trained.set_step(step);
    trained.set_train_loss(3);
    link_->SendMetrics(trained);
  }
  validated.set_step(8);
  validated.set_validation_loss(2.5);
  link_->SendMetrics(validated);
  phase.set_step(8);
  phase.set_phase("checkpointing");
  for (int i = 0; i < 100; ++i) link_->SendMetrics(phase);
  SendResult(v1::REACHED);
  EXPECT_FALSE(link_->Flush(50));
  EndLink();
  StartServer(port_);
  Connect(20'000, "second");
  EXPECT_TRUE(WaitUntilNoFile());
  const auto records = gateway_.Records(2);
  EXPECT_THAT(PointSteps(records), ElementsAre(8, 8));
  EXPECT_EQ(records[0].metrics().points(1).validation_loss(), 2.5);
  EXPECT_EQ(records[0].metrics().epoch(), 3);
  EXPECT_EQ(records[1].result().outcome(), v1::REACHED);
}

TEST_F(SpooledLinkTest, TheFileStaysUntilTheCoordinatorHasAcknowledgedAll) {
  FinishWhileNobodyListens();
  gateway_.Acknowledge(false);
  StartServer(port_);
  Connect(20'000, "second");
  gateway_.Records(2);
  EXPECT_EQ(OnDisk().records.size(), 2u);
  EndLink();
  EXPECT_EQ(OnDisk().incarnation, "first");
  gateway_.Acknowledge(true);
  Connect(20'000, "third");
  EXPECT_TRUE(WaitUntilNoFile());
  const auto records = gateway_.Records(4);
  EXPECT_EQ(records.back().result().outcome(), v1::COMPLETED);
}

TEST_F(SpooledLinkTest, AnEarlierStartThatIsRefusedDoesNotKeepTheGroupFromWork) {
  FinishWhileNobodyListens();
  gateway_.Refuse("another start of this group has taken its place");
  StartServer(port_);
  Connect(20'000, "second");
  EXPECT_TRUE(WaitUntilNoFile());
  gateway_.Refuse("");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (gateway_.Hellos().back().incarnation() != "second" && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(gateway_.Hellos().back().incarnation(), "second");
  EXPECT_THAT(gateway_.Senders(), testing::IsEmpty());
}

TEST_F(SpooledLinkTest, ADamagedFileIsPutAsideAndTheGroupWorks) {
  ASSERT_TRUE(WriteFileAtomically(spool_path_, "ridgeline spool 1\nand nothing else").ok());
  Connect(20'000, "second");
  EXPECT_EQ(gateway_.Hello(1).incarnation(), "second");
  EXPECT_FALSE(fs::exists(spool_path_));
  EXPECT_TRUE(fs::exists(spool_path_ + ".damaged"));
}

TEST_F(SpooledLinkTest, WhatIsAcknowledgedLeavesNothingBehind) {
  ConnectWith("job-1", 1);
  SendCheckpoint(1);
  SendResult(v1::COMPLETED);
  ASSERT_TRUE(link_->Flush(kPatienceMs));
  EndLink();
  EXPECT_FALSE(fs::exists(spool_path_));
}

TEST_F(SpooledLinkTest, WhereTheDiskTakesNothingTheRecordsStayInMemoryAndArrive) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "groups") << "in the way";
  ConnectWith("job-1", 1);
  StopServer();
  SendCheckpoint(1);
  SendResult(v1::COMPLETED);
  EXPECT_FALSE(link_->Flush(50));
  StartServer(port_);
  EXPECT_TRUE(link_->Flush(kPatienceMs));
  EXPECT_EQ(gateway_.Records(2).back().result().outcome(), v1::COMPLETED);
}

}  // namespace
}  // namespace ridgeline
