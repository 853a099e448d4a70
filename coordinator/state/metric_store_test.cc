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
  void Reopen(const HistoryLimits& limits = {}) {
    store_.reset();
    auto store = MetricStore::Open((folder_ / "metrics.db").string(), "", limits);
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

TEST_F(MetricStoreTest, LongCurveIsThinnedTheMoreTheOlderAndKeepsWhatIsSeldom) {
  Reopen({.job_points = 100});
  for (int64_t step = 1; step <= 2'000; ++step) {
    Points points = MakePoints(step, step, 2.0);
    if (step % 100 == 0) points[0].set_validation_loss(1.5);
    if (step == 7) points[0].set_nonfinite(true);
    ASSERT_EQ(store_->AppendMetrics("job-1", 1, points)->size(), 1u);
  }
  const std::vector<v1::MetricPoint> kept = *store_->ReadMetrics("job-1", 0, 10'000);
  EXPECT_LE(kept.size(), 100u);
  EXPECT_GE(kept.size(), 50u);
  EXPECT_EQ(kept.back().step(), 2'000);
  int64_t validated = 0, nonfinite = 0, recent = 0;
  for (const v1::MetricPoint& point : kept) {
    validated += point.has_validation_loss();
    nonfinite += point.nonfinite();
    recent += point.step() > 1'980;
  }
  EXPECT_EQ(validated, 20);
  EXPECT_EQ(nonfinite, 1);
  EXPECT_EQ(recent, 20) << "what is new is there as it came";
  Reopen({.job_points = 100});
  EXPECT_EQ(store_->Latest("job-1")->nonfinite_steps, 1);
  EXPECT_EQ(store_->AppendMetrics("job-1", 1, MakePoints(2'000, 2'000, 2.0))->size(), 0u) << "it came before";
}

TEST_F(MetricStoreTest, HeldOutLossesOfEachStepAreThinnedTooWhenNothingElseIsLeft) {
  Reopen({.job_points = 50});
  for (int64_t step = 1; step <= 500; ++step) {
    Points points = MakePoints(step, step, 2.0);
    points[0].set_validation_loss(1.5);
    ASSERT_TRUE(store_->AppendMetrics("job-1", 1, points).ok());
  }
  EXPECT_LE(store_->ReadMetrics("job-1", 0, 1'000)->size(), 50u);
}

TEST_F(MetricStoreTest, LongLogLosesItsOldestLinesAndSaysHowMany) {
  Reopen({.job_lines = 20});
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(store_->AppendLogs("job-1", 1, i, MakeLines({"line " + std::to_string(i)})).ok());
  LogCursor cursor;
  const std::vector<v1::LogLine> lines = *store_->ReadLogs("job-1", std::nullopt, 100, &cursor);
  ASSERT_GE(lines.size(), 18u);
  ASSERT_LE(lines.size(), 20u);
  EXPECT_EQ(lines[0].skipped(), 50 - static_cast<int64_t>(lines.size()));
  EXPECT_EQ(lines[0].text(), "line " + std::to_string(lines[0].skipped()));
  EXPECT_EQ(lines[1].skipped(), 0);
  EXPECT_EQ(lines.back().text(), "line 49");
  ASSERT_TRUE(store_->AppendLogs("job-1", 1, 50, MakeLines({"the next"})).ok());
  const std::vector<v1::LogLine> more = *store_->ReadLogs("job-1", std::nullopt, 100, &cursor);
  ASSERT_EQ(more.size(), 1u);
  EXPECT_EQ(more[0].skipped(), 0) << "who has read so far has missed nothing";
}

TEST_F(MetricStoreTest, EndedJobKeepsTheShapeOfItsCurveAndTheEndOfItsLog) {
  Reopen({.total_bytes = 20'000, .ended_points = 10, .ended_lines = 3});
  EXPECT_FALSE(*store_->IsOver());
  ASSERT_TRUE(store_->AppendMetrics("job-1", 1, MakePoints(1, 995, 2.0)).ok());
  ASSERT_TRUE(store_->AppendLogs("job-1", 1, 1, MakeLines(std::vector<std::string>(100, "a line"))).ok());
  EXPECT_TRUE(*store_->IsOver());
  ASSERT_TRUE(store_->ShrinkEnded("job-1").ok());
  const std::vector<v1::MetricPoint> kept = *store_->ReadMetrics("job-1", 0, 1'000);
  ASSERT_LE(kept.size(), 11u);
  ASSERT_GE(kept.size(), 10u);
  EXPECT_LE(kept.front().step(), 100);
  EXPECT_EQ(kept.back().step(), 995) << "what it ended with stays";
  EXPECT_EQ(ReadTexts().size(), 3u);
  EXPECT_FALSE(*store_->IsOver());
}

}  // namespace
}  // namespace ridgeline
