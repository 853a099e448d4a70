// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/metric_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using Points = google::protobuf::RepeatedPtrField<v1::MetricPoint>;
using Lines = google::protobuf::RepeatedPtrField<v1::LogLine>;

Points MakePoints(int64_t first, int64_t last, double loss) {
  Points points;
  for (int64_t step = first; step <= last; ++step) {
    v1::MetricPoint& point = *points.Add();
    point.set_step(step);
    point.set_train_loss(loss);
  }
  return points;
}

Lines MakeLines(const std::vector<std::string>& texts, int rank = 0) {
  Lines lines;
  for (const std::string& text : texts) {
    lines.Add()->set_text(text);
    lines.rbegin()->set_rank(rank);
  }
  return lines;
}

class MetricStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    Reopen();
  }
  void TearDown() override { fs::remove_all(folder_); }
  void Reopen() {
    store_.reset();
    auto store = MetricStore::Open((folder_ / "metrics.db").string());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  std::vector<std::string> ReadTexts(std::optional<int32_t> rank = std::nullopt) {
    LogCursor cursor;
    std::vector<std::string> texts;
    while (true) {  // Pages of two lines.
      const auto lines = store_->ReadLogs("job-1", rank, 2, &cursor);
      if (!lines.ok() || lines->empty()) return texts;
      for (const v1::LogLine& line : *lines) texts.push_back(line.text());
    }
  }

  fs::path folder_ = fs::temp_directory_path() / (std::string("metric_store_test_") + std::to_string(getpid()) + "_" +
                                                  testing::UnitTest::GetInstance()->current_test_info()->name());
  std::unique_ptr<MetricStore> store_;
};

TEST_F(MetricStoreTest, DuplicatedBatchBringsNothingNew) {
  EXPECT_EQ(store_->AppendMetrics("job-1", 1, MakePoints(1, 5, 2.5))->size(), 5u);
  EXPECT_EQ(store_->AppendMetrics("job-1", 1, MakePoints(1, 6, 2.5))->size(), 1u);
  EXPECT_EQ(store_->ReadMetrics("job-1", 0, 100)->size(), 6u);
  EXPECT_EQ(store_->ReadMetrics("job-1", 4, 100)->size(), 2u);
  EXPECT_EQ(store_->ReadMetrics("job-2", 0, 100)->size(), 0u);
}

TEST_F(MetricStoreTest, ResumedAttemptReplacesTheStepsOfTheLostOne) {
  ASSERT_TRUE(store_->AppendMetrics("job-1", 1, MakePoints(1, 10, 3.0)).ok());
  ASSERT_TRUE(store_->AppendMetrics("job-1", 2, MakePoints(6, 7, 2.0)).ok());
  EXPECT_TRUE(store_->AppendMetrics("job-1", 1, MakePoints(7, 7, 9.0))->empty()) << "an old epoch changes nothing";
  const auto points = store_->ReadMetrics("job-1", 5, 100);
  EXPECT_EQ((*points)[0].train_loss(), 2.0);
  EXPECT_EQ((*points)[1].train_loss(), 2.0);
  EXPECT_EQ((*points)[2].train_loss(), 3.0);
  EXPECT_EQ(store_->Latest("job-1")->point.step(), 7);
  Reopen();
  EXPECT_EQ(store_->Latest("job-1")->point.step(), 7);
}

TEST_F(MetricStoreTest, LatestKeepsTheLastValidationAcrossReopening) {
  Points validated = MakePoints(10, 10, 2.5);
  validated[0].set_validation_loss(2.2);
  validated[0].set_second_loss(3.3);
  validated[0].set_second_accuracy(0.3);
  ASSERT_TRUE(store_->AppendMetrics("job-1", 1, MakePoints(1, 10, 2.5)).ok());
  EXPECT_EQ(store_->AppendMetrics("job-1", 1, validated)->size(), 1u) << "a step's later values add to it";
  Points skipped = MakePoints(11, 11, 2.4);
  skipped[0].set_nonfinite(true);
  skipped[0].set_distill_divergence(0.25);
  ASSERT_TRUE(store_->AppendMetrics("job-1", 1, skipped).ok());
  for (int i = 0; i < 2; ++i) {
    const auto latest = store_->Latest("job-1");
    EXPECT_EQ(latest->point.step(), 11);
    EXPECT_EQ(latest->point.validation_loss(), 2.2);
    EXPECT_EQ(latest->point.second_loss(), 3.3);
    EXPECT_EQ(latest->point.second_accuracy(), 0.3);
    EXPECT_EQ(latest->point.distill_divergence(), 0.25);
    EXPECT_EQ(latest->point.train_loss(), 2.4);
    EXPECT_EQ(latest->nonfinite_steps, 1);
    Reopen();
  }
}

TEST_F(MetricStoreTest, CountsOfCollectivesAreTheNewestOfTheAttempt) {
  const auto with_bytes = [](Points points, int64_t bytes) {
    for (v1::MetricPoint& point : points) point.add_collectives()->set_bytes(bytes);
    return points;
  };
  const auto latest_bytes = [&] {
    std::vector<int64_t> bytes;
    const auto latest = store_->Latest("job-1");
    for (const v1::CollectiveCount& count : latest->point.collectives()) bytes.push_back(count.bytes());
    return bytes;
  };
  ASSERT_TRUE(store_->AppendMetrics("job-1", 1, with_bytes(MakePoints(1, 2, 2.5), 100)).ok());
  ASSERT_TRUE(store_->AppendMetrics("job-1", 1, with_bytes(MakePoints(2, 3, 2.5), 200)).ok());
  EXPECT_EQ(latest_bytes(), std::vector<int64_t>{200});
  EXPECT_EQ((*store_->ReadMetrics("job-1", 1, 1))[0].collectives_size(), 1) << "said twice of a step";
  ASSERT_TRUE(store_->AppendMetrics("job-1", 1, MakePoints(4, 4, 2.5)).ok());
  EXPECT_EQ(latest_bytes(), std::vector<int64_t>{200}) << "not every point has them";
  ASSERT_TRUE(store_->AppendMetrics("job-1", 2, MakePoints(3, 3, 2.5)).ok());
  EXPECT_EQ(latest_bytes(), std::vector<int64_t>{}) << "of another attempt";
}

TEST_F(MetricStoreTest, LogLinesComeOnceInOrderAndByRank) {
  ASSERT_TRUE(store_->AppendLogs("job-1", 1, 5, MakeLines({"a", "b", "c"})).ok());
  ASSERT_TRUE(store_->AppendLogs("job-1", 1, 5, MakeLines({"a", "b", "c"})).ok());
  ASSERT_TRUE(store_->AppendLogs("job-1", 1, 9, MakeLines({"d"}, /*rank=*/1)).ok());
  ASSERT_TRUE(store_->AppendLogs("job-1", 2, 1, MakeLines({"e"})).ok());
  EXPECT_EQ(ReadTexts(), (std::vector<std::string>{"a", "b", "c", "d", "e"}));
  EXPECT_EQ(ReadTexts(1), (std::vector<std::string>{"d"}));
}

}  // namespace
}  // namespace ridgeline
