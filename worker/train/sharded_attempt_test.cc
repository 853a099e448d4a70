// SPDX-License-Identifier: Apache-2.0
// Whole attempts whose ranks share the model, beside those whose ranks hold it whole. Real MPI ranks do the same in
// tests/shard.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "worker/train/attempt_test.h"

namespace ridgeline {
namespace {

class ShardedAttemptTest : public AttemptTest {
 protected:
  using Changes = std::vector<RecipeOverride>;

  std::vector<double> Losses(Changes changes, int ranks, const Changes& parallelism = {}) const {
    changes.insert(changes.end(), parallelism.begin(), parallelism.end());
    changes.push_back({"checkpoint.interval", "0"});
    Recorder recorder;
    const absl::StatusOr<RunResult> result = Run(Assignment(changes), ranks, recorder);
    EXPECT_TRUE(result.ok()) << result.status();
    std::vector<double> losses = recorder.TrainLosses();
    for (const v1::MetricPoint& point : recorder.points)
      if (point.has_validation_loss()) losses.push_back(point.validation_loss());
    if (result.ok() && result->point) losses.push_back(result->point->loss());
    return losses;
  }

  static const inline Changes kAllRanks = {{"parallelism.shard_degree", "0"}};
};

void ExpectClose(const std::vector<double>& a, const std::vector<double>& b, double relative) {
  ASSERT_EQ(a.size(), b.size());
  ASSERT_FALSE(a.empty());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i], b[i], relative * std::abs(b[i])) << "at " << i;
    largest = std::max(largest, std::abs(a[i] - b[i]) / std::abs(b[i]));
  }
  ::testing::Test::RecordProperty("largest", std::to_string(largest));
}

// Sums over ranks run in the same order, so that nothing but the gradient's norm may differ, in its last bits.
constexpr double kSameRanksTolerance = 1e-6;

TEST_F(ShardedAttemptTest, RanksThatShareTheModelTrainItAsRanksThatHoldItWholeDo) {
  for (const int ranks : {2, 3, 4})
    ExpectClose(Losses({}, ranks, kAllRanks), Losses({}, ranks), kSameRanksTolerance);
}

}  // namespace
}  // namespace ridgeline
