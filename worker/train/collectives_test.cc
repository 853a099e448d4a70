// SPDX-License-Identifier: Apache-2.0
// What an attempt tells of its collectives, and how long they may take.
#include <gmock/gmock.h>

#include <map>
#include <string>

#include "worker/train/attempt_test.h"

namespace ridgeline {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class CollectivesTest : public AttemptTest {
 protected:
  // Of the points that have counts, by their steps.
  static std::map<int64_t, v1::CollectiveCount> SumsOf(const Recorder& recorder) {
    std::map<int64_t, v1::CollectiveCount> sums;
    for (const v1::MetricPoint& point : recorder.points)
      for (const v1::CollectiveCount& count : point.collectives())
        if (count.operation() == "all_reduce") sums[point.step()] = count;
    return sums;
  }
};

TEST_F(CollectivesTest, PointsSayWhatTheStepsOfTheAttemptHaveSent) {
  Recorder recorder;
  ASSERT_TRUE(Run(Assignment(), 2, recorder).ok());
  std::map<int64_t, v1::CollectiveCount> sums = SumsOf(recorder);
  ASSERT_EQ(sums.size(), 20u);
  EXPECT_GT(sums[1].bytes(), 0);
  EXPECT_GT(sums[20].seconds(), sums[1].seconds());
  // Evaluations and checkpoints in between are no part of a step.
  for (const auto& [step, count] : sums) {
    EXPECT_EQ(count.calls(), step * sums[1].calls());
    EXPECT_EQ(count.bytes(), step * sums[1].bytes());
  }
}

TEST_F(CollectivesTest, OneRankSendsNothing) {
  Recorder recorder;
  ASSERT_TRUE(Run(Assignment(), 1, recorder).ok());
  EXPECT_EQ(SumsOf(recorder)[20].bytes(), 0);
}

TEST_F(CollectivesTest, TheRecipesTimeOutEndsTheAttemptWithTheStepAndIsGoneAfterIt) {
  constexpr int64_t kGroupsTimeoutMs = 3'600'000;
  const auto ranks = MakeThreadCommunicators(2, kGroupsTimeoutMs);
  Recorder recorder;
  // Rank 1 never comes.
  const RunOptions options{.work_dir = (folder_ / "work").string(), .observer = &recorder};
  const auto result = RunAttempt(Assignment({{"recovery.hang_timeout", "0.5"}}), *ranks[0], options);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(result.status().message()),
              AllOf(StartsWith("after step 0: rank 0 of 2 waited "), HasSubstr("in collective '"),
                    HasSubstr("rank 1 does not answer")));
  EXPECT_EQ(ranks[0]->timeout_ms(), kGroupsTimeoutMs);
}

}  // namespace
}  // namespace ridgeline
