// SPDX-License-Identifier: Apache-2.0
// Whole attempts whose ranks share the model, beside those whose ranks hold it whole. Real MPI ranks do the same in
// tests/shard.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "method/estimator_traits.h"
#include "worker/train/attempt_test.h"

namespace ridgeline {
namespace {

class ShardedAttemptTest : public AttemptTest {
 protected:
  std::vector<double> Losses(Changes changes, int ranks, const Changes& parallelism = {}) const {
    changes.insert(changes.end(), parallelism.begin(), parallelism.end());
    changes.push_back({"checkpoint.interval", "0"});
    return LossesOf(Assignment(changes), ranks);
  }
  std::vector<double> LossesOf(const v1::Assign& assignment, int ranks) const {
    Recorder recorder;
    const absl::StatusOr<RunResult> result = Run(assignment, ranks, recorder);
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
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], relative * std::abs(b[i])) << "at " << i;
}

// Sums over ranks run in the same order, so that nothing but the gradient's norm may differ, in its last bits.
constexpr double kSameRanksTolerance = 1e-6;
// With training.deterministic sums are float64, and what becomes of them in float32 is the same nearly always.
constexpr double kAnyRanksTolerance = 1e-5;

TEST_F(ShardedAttemptTest, RanksThatShareTheModelTrainItAsRanksThatHoldItWholeDo) {
  for (const int ranks : {2, 3, 4}) ExpectClose(Losses({}, ranks, kAllRanks), Losses({}, ranks), kSameRanksTolerance);
}

TEST_F(ShardedAttemptTest, SoTheyDoInBfloat16) {
  const Changes bfloat16 = {{"training.dtype", "bfloat16"}, {"training.local_batch_size", "1"}};
  ExpectClose(Losses(bfloat16, 2, kAllRanks), Losses(bfloat16, 2), 0.02);
}

TEST_F(ShardedAttemptTest, WeightsMayStayAfterTheForwardPass) {
  Changes stays = kAllRanks;
  stays.push_back({"parallelism.reshard_after_forward", "false"});
  EXPECT_EQ(Losses({}, 3, kAllRanks), Losses({}, 3, stays));
}

// Everything that changes what a step does, each against one rank that holds everything.
const std::vector<std::pair<const char*, std::vector<RecipeOverride>>> kFeatures = {
    {"accumulation and uneven shares", {{"training.global_batch_size", "7"}}},
    {"more ranks than sequences", {{"training.global_batch_size", "2"}}},
    {"activation checkpoint", {{"activation_checkpoint.mode", "full"}}},
    {"sparsity that is reached by a schedule",
     {{"quant.weight.scheme", "linear"},
      {"sparsity.pattern", "1:4"},
      {"sparsity.schedule", "linear"},
      {"sparsity.schedule_steps", "8"}}},
    {"mask decay of the optimizer",
     {{"quant.weight.scheme", "linear"},
      {"sparsity.pattern", "2:4"},
      {"sparsity.mask_decay", "0.1"},
      {"sparsity.mask_decay_kind", "decoupled"}}},
    {"mask decay of the gradient",
     {{"quant.weight.scheme", "linear"}, {"sparsity.pattern", "2:4"}, {"sparsity.mask_decay", "0.001"}}},
    {"sparsity alone", {{"quant.estimator", "none"}, {"sparsity.pattern", "2:4"}}},
    {"no quantizers", {{"quant.estimator", "none"}}},
    {"a quantized embedding", {{"quant.embedding.format", "int4"}, {"quant.embedding.block", "16"}}},
    {"scales of 8 bits", {{"quant.weight_scales", "int8"}, {"quant.weight.block", "16"}}},
    {"a tensor scale",
     {{"quant.weight.estimator", "ste_clip"}, {"quant.weight.format", "nvfp4"}, {"quant.weight.scheme", "linear"}}},
    {"a grid for a tensor", {{"quant.weight.granularity", "tensor"}}},
    {"rotated operands", {{"quant.hadamard", "true"}, {"quant.weight.block", "32"}, {"quant.activation.block", "32"}}},
};

TEST_F(ShardedAttemptTest, EveryFeatureIsTheSameOnAnyNumberOfRanks) {
  for (auto [name, changes] : kFeatures) {
    SCOPED_TRACE(name);
    changes.insert(changes.end(), {{"training.deterministic", "true"}, {"training.steps", "12"}});
    const std::vector<double> alone = Losses(changes, 1);
    for (const int ranks : {2, 3}) ExpectClose(Losses(changes, ranks, kAllRanks), alone, kAnyRanksTolerance);
    ExpectClose(Losses(changes, 4, {{"parallelism.shard_degree", "2"}}), alone, kAnyRanksTolerance);
  }
}

TEST_F(ShardedAttemptTest, EveryEstimatorIsTheSameOnAnyNumberOfRanks) {
  for (const EstimatorTraits& traits : EveryEstimator()) {
    SCOPED_TRACE(traits.name);
    const Changes changes =
        With({{"training.deterministic", "true"}, {"training.steps", "12"}}, EstimatorAlone(traits));
    const std::vector<double> alone = Losses(changes, 1);
    for (const int ranks : {2, 3}) ExpectClose(Losses(changes, ranks, kAllRanks), alone, kAnyRanksTolerance);
  }
}

TEST_F(ShardedAttemptTest, LayersThatAreSkippedTravelAsNumbers) {
  v1::Assign whole = Assignment({{"training.deterministic", "true"}}), shared = whole;
  whole.mutable_recipe()->mutable_quant()->add_skip("*.mlp.*");
  shared.mutable_recipe()->mutable_quant()->add_skip("*.mlp.*");
  shared.mutable_recipe()->mutable_parallelism()->set_shard_degree(0);
  ExpectClose(LossesOf(shared, 3), LossesOf(whole, 1), kAnyRanksTolerance);
}

TEST_F(ShardedAttemptTest, HeldWholeItIsTheSameOnAnyNumberOfRanks) {
  const Changes changes = {{"training.deterministic", "true"}};
  const std::vector<double> alone = Losses(changes, 1);
  for (const int ranks : {2, 3, 4}) ExpectClose(Losses(changes, ranks), alone, kAnyRanksTolerance);
}

TEST_F(ShardedAttemptTest, InBfloat16ItIsTheSameOnAnyNumberOfRanks) {
  const Changes changes = {{"training.deterministic", "true"}, {"training.dtype", "bfloat16"}};
  const std::vector<double> alone = Losses(changes, 1);
  for (const int ranks : {2, 3}) ExpectClose(Losses(changes, ranks, kAllRanks), alone, kAnyRanksTolerance);
  ExpectClose(Losses(changes, 4, {{"parallelism.shard_degree", "2"}}), alone, kAnyRanksTolerance);
}

// From four ranks that share a model in two copies, and from two that hold it whole.
TEST_F(ShardedAttemptTest, ACheckpointGoesOnHoweverTheRanksShareTheModel) {
  const Changes learned = {{"training.deterministic", "true"}, {"quant.weight.estimator", "paretoq"}},
                pruned = {{"training.deterministic", "true"},
                          {"quant.weight.scheme", "linear"},
                          {"sparsity.pattern", "2:4"},
                          {"sparsity.schedule", "linear"},
                          {"sparsity.schedule_steps", "14"}};
  const std::vector<std::pair<int, Changes>> ways = {
      {1, {}}, {2, {}}, {3, kAllRanks}, {4, {{"parallelism.shard_degree", "2"}}}};
  const std::filesystem::path checkpoints = folder_ / "work" / "jobs" / "job-1" / "checkpoints",
                              kept = folder_ / "kept";
  for (const auto& [changes, writer] : {std::pair(learned, size_t{3}), {pruned, size_t{3}}, {pruned, size_t{1}}}) {
    const v1::Assign first = Assignment(With(changes, ways[writer].second));
    Recorder whole, stopped;
    ASSERT_TRUE(Run(first, ways[writer].first, whole).ok());
    const std::vector<double> expected = whole.TrainLosses();
    stopped.stop_at_step = 11;
    stopped.stop_with = StopRequest::kPreempt;
    ASSERT_TRUE(Run(first, ways[writer].first, stopped).ok());
    std::filesystem::remove_all(kept);
    std::filesystem::copy(checkpoints, kept, std::filesystem::copy_options::recursive);
    for (const auto& [ranks, parallelism] : ways) {
      SCOPED_TRACE(ranks);
      std::filesystem::remove_all(checkpoints);
      std::filesystem::copy(kept, checkpoints, std::filesystem::copy_options::recursive);
      v1::Assign again = Assignment(With(changes, parallelism));
      again.set_epoch(2);
      again.mutable_resume_from()->set_step(11);
      Recorder resumed;
      const absl::StatusOr<RunResult> result = Run(again, ranks, resumed);
      ASSERT_TRUE(result.ok()) << result.status();
      ExpectClose(resumed.TrainLosses(), {expected.begin() + 11, expected.end()}, kAnyRanksTolerance);
    }
  }
}

TEST_F(ShardedAttemptTest, GradientsThatTravelInFewBitsTrainNearlyAsWell) {
  const double exact = Losses({}, 3, kAllRanks).back();
  for (const char* dtype : {"bfloat16", "int8"}) {
    SCOPED_TRACE(dtype);
    Changes narrow = kAllRanks;
    narrow.push_back({"parallelism.gradient_dtype", dtype});
    const std::vector<double> losses = Losses({}, 3, narrow);
    EXPECT_NEAR(losses.back(), exact, 0.05);
    EXPECT_EQ(losses, Losses({}, 3, narrow)) << "the same once more";
  }
}

TEST_F(ShardedAttemptTest, DegreesThatDoNotComeToTheRanksAreRefusedWithTheirKey) {
  Recorder recorder;
  const absl::StatusOr<RunResult> result = Run(Assignment({{"parallelism.shard_degree", "3"}}), 2, recorder);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(std::string(result.status().message()).find("parallelism.shard_degree"), std::string::npos)
      << result.status();
}

}  // namespace
}  // namespace ridgeline
