// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/history_keeper.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "coordinator/state/test_events.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

class HistoryKeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    journal_ = *Journal::Open({.path = folder_ / "journal.db", .clock = &clock_});
    store_ =
        *MetricStore::Open(folder_ / "metrics.db", "", {.total_bytes = 200'000, .ended_points = 10, .ended_lines = 5});
  }
  void TearDown() override { fs::remove_all(folder_); }

  // A job with a curve of 1,000 points.
  void Add(int64_t number, bool ended) {
    const std::string job_id = "job-" + std::to_string(number);
    ASSERT_TRUE(journal_->Commit(test::Submitted({test::MakeJob(number)})).ok());
    ASSERT_TRUE(journal_->Commit(test::Started(job_id, 1, "g" + job_id)).ok());
    google::protobuf::RepeatedPtrField<v1::MetricPoint> points;
    for (int64_t step = 1; step <= 1'000; ++step) {
      points.Add()->set_step(step);
      points.rbegin()->set_train_loss(2);
    }
    ASSERT_TRUE(store_->AppendMetrics(job_id, 1, points).ok());
    clock_.Advance(1'000);
    if (ended) ASSERT_TRUE(journal_->Commit(test::Ended(job_id, 1, v1::COMPLETED)).ok());
  }
  size_t Points(const std::string& job_id) { return store_->ReadMetrics(job_id, 0, 10'000)->size(); }

  const fs::path folder_ = fs::temp_directory_path() / ("history_keeper_test_" + std::to_string(getpid()));
  ManualClock clock_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<MetricStore> store_;
};

TEST_F(HistoryKeeperTest, JobsThatEndedFirstGiveUpTheirsAndRunningOnesNothing) {
  HistoryKeeper keeper(journal_.get(), store_.get(), &clock_);
  Add(1, /*ended=*/false);
  int64_t jobs = 1;
  while (!*store_->IsOver()) ASSERT_NO_FATAL_FAILURE(Add(++jobs, /*ended=*/true));
  ASSERT_GE(jobs, 3);
  keeper.RunIfDue();
  EXPECT_FALSE(*store_->IsOver());
  EXPECT_EQ(Points("job-1"), 1'000u) << "it runs";
  EXPECT_LE(Points("job-2"), 11u) << "it ended first";
  EXPECT_EQ(Points("job-" + std::to_string(jobs)), 1'000u) << "it ended last";
}

TEST_F(HistoryKeeperTest, LooksNowAndThenOnly) {
  HistoryKeeper keeper(journal_.get(), store_.get(), &clock_);
  keeper.RunIfDue();
  for (int64_t number = 1; !*store_->IsOver(); ++number) ASSERT_NO_FATAL_FAILURE(Add(number, /*ended=*/true));
  keeper.RunIfDue();
  EXPECT_TRUE(*store_->IsOver());
  clock_.Advance(60'000);
  keeper.RunIfDue();
  EXPECT_FALSE(*store_->IsOver());
}

}  // namespace
}  // namespace ridgeline
