// SPDX-License-Identifier: Apache-2.0
#include "worker/train/trainer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <thread>

#include "data/dataset.h"
#include "fmt/format.h"
#include "method/estimator_traits.h"
#include "model/matrix_product.h"
#include "recipes/recipe_reader.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

// Sums over ranks run in another order than within one rank: losses agree to this, relative.
constexpr double kRankCountTolerance = 1e-3;

// Remembers what a run says, and stops it where a test wants.
class Recorder : public RunObserver {
 public:
  void OnMetrics(const v1::MetricPoint& point) override { points.push_back(point); }
  void OnLog(const std::string&, const std::string& text) override { log += text + "\n"; }
  void OnCheckpoint(const v1::Checkpoint& checkpoint) override { last_checkpoint = checkpoint; }
  StopRequest PollStop() override {
    ++polls;
    return polls == stop_at_step ? stop_with : StopRequest::kNone;
  }

  std::vector<double> TrainLosses() const {
    std::vector<double> losses;
    for (const v1::MetricPoint& point : points)
      if (point.has_train_loss()) losses.push_back(point.train_loss());
    return losses;
  }

  std::vector<v1::MetricPoint> points;
  std::string log;
  v1::Checkpoint last_checkpoint;
  int64_t polls = 0;
  int64_t stop_at_step = -1;
  StopRequest stop_with = StopRequest::kNone;
};

class TrainerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("ridgeline_trainer_test_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    std::ofstream text(folder_ / "text.txt");
    for (int i = 0; i < 400; ++i) text << "the quick brown fox number " << i * i << " jumps over the lazy dog\n";
    text.close();
    PrepareOptions options;
    options.text_path = (folder_ / "text.txt").string();
    options.out_dir = (folder_ / "data").string();
    ASSERT_TRUE(PrepareDataset(options).ok());
  }
  void TearDown() override { fs::remove_all(folder_); }

  v1::Assign Assignment(const std::vector<RecipeOverride>& changes = {}) const {
    v1::Assign assignment;
    assignment.set_job_id("job-1");
    assignment.set_epoch(1);
    v1::Recipe* recipe = assignment.mutable_recipe();
    std::vector<RecipeOverride> all = {{"dataset.path", (folder_ / "data").string()},
                                       {"model.name", "gpt"},
                                       {"model.n_layers", "2"},
                                       {"model.dim", "32"},
                                       {"model.n_heads", "2"},
                                       {"training.seq_len", "32"},
                                       {"training.global_batch_size", "6"},
                                       {"training.steps", "20"},
                                       {"lr_scheduler.warmup_steps", "4"},
                                       {"optimizer.lr", "3e-3"},
                                       {"checkpoint.interval", "8"},
                                       {"validation.interval", "10"},
                                       {"validation.sequences", "12"},
                                       {"quant.estimator", "ridge"},
                                       {"quant.weight.format", "int2"},
                                       {"quant.activation.format", "int2"}};
    all.insert(all.end(), changes.begin(), changes.end());
    for (const auto& [key, value] : all) {
      absl::Status status = SetRecipeField(recipe, key, value);
      EXPECT_TRUE(status.ok()) << status;
    }
    ApplyRecipeDefaults(recipe);
    return assignment;
  }

  // Runs every rank on a thread of its own; the result is rank 0's.
  absl::StatusOr<RunResult> Run(const v1::Assign& assignment, int ranks, Recorder& recorder) const {
    auto communicators = MakeFakeCommunicators(ranks);
    std::vector<absl::StatusOr<RunResult>> results(static_cast<size_t>(ranks), absl::UnknownError("did not run"));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        RunOptions options{.work_dir = (folder_ / "work").string(), .observer = rank == 0 ? &recorder : nullptr};
        results[static_cast<size_t>(rank)] = RunAttempt(assignment, *communicators[static_cast<size_t>(rank)], options);
      });
    for (std::thread& thread : threads) thread.join();
    return results[0];
  }

  fs::path folder_;
};

TEST_F(TrainerTest, TrainingLowersTheLossAndLeavesAPoint) {
  Recorder recorder;
  absl::StatusOr<RunResult> result = Run(Assignment(), 1, recorder);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outcome, v1::COMPLETED);
  std::vector<double> losses = recorder.TrainLosses();
  ASSERT_EQ(losses.size(), 20u);
  EXPECT_LT(losses.back(), losses.front() - 0.3);
  EXPECT_EQ(result->point.estimator(), "ridge");
  EXPECT_EQ(result->point.tokens(), 20 * 6 * 32);
  EXPECT_GT(result->point.accuracy(), 0);
  EXPECT_DOUBLE_EQ(result->point.bits_per_element(), 2 + 32.0 / 32 * (12 * 32 * 32 - 4 * 32 * 32) / (12 * 32 * 32) +
                                                         32.0 / 128 * 4 * 32 * 32 / (12 * 32 * 32));
}

// A format of few bits that the estimator has on a side: none for a side that it is not defined for.
std::string FormatFor(const EstimatorTraits& traits, Side side) {
  if (!traits.is_defined_for(side)) return "none";
  for (Format format : {Format::kInt2, Format::kTernary, Format::kInt1})
    if (traits.accepts(format)) return std::string(FormatName(format));
  return "none";
}

std::vector<std::string> EstimatorsOfTheTable() {
  std::vector<std::string> names;
  for (const EstimatorTraits& traits : EveryEstimator()) names.emplace_back(traits.name);
  return names;
}

class TrainerOfEveryEstimatorTest : public TrainerTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(TrainerOfEveryEstimatorTest, TrainsFromARecipeOnRotatedBlocksWhereItHasThem) {
  const EstimatorTraits& traits = *FindEstimatorTraits(GetParam());
  const bool has_blocks = traits.weight_granularity.value_or(Granularity::kBlock) == Granularity::kBlock &&
                          traits.activation_granularity.value_or(Granularity::kBlock) == Granularity::kBlock;
  Recorder recorder;
  absl::StatusOr<RunResult> result = Run(Assignment({{"quant.estimator", GetParam()},
                                                     {"quant.weight.format", FormatFor(traits, Side::kWeight)},
                                                     {"quant.activation.format", FormatFor(traits, Side::kActivation)},
                                                     {"quant.hadamard", has_blocks ? "true" : "false"},
                                                     {"quant.weight.block", "32"},
                                                     {"quant.activation.block", "32"}}),
                                         1, recorder);
  ASSERT_TRUE(result.ok()) << result.status();
  std::vector<double> losses = recorder.TrainLosses();
  EXPECT_LT(losses.back(), losses.front() - 0.3);
  EXPECT_EQ(result->point.estimator(), GetParam());
  EXPECT_EQ(result->point.hadamard(), has_blocks);
  if (traits.scheme && traits.is_defined_for(Side::kWeight))
    EXPECT_EQ(result->point.weight_scheme(), SchemeName(*traits.scheme));
}

INSTANTIATE_TEST_SUITE_P(Table, TrainerOfEveryEstimatorTest, ::testing::ValuesIn(EstimatorsOfTheTable()),
                         [](const auto& info) { return info.param; });

TEST(TrainerTableTest, TheTableHasEstimators) { EXPECT_GE(EstimatorsOfTheTable().size(), 16u); }

// Weights and activations of estimators whose scales are trained.
std::vector<RecipeOverride> Learned(const std::string& weight, const std::string& activation) {
  std::vector<RecipeOverride> changes = {{"quant.estimator", weight},
                                         {"quant.weight.format", "int4"},
                                         {"quant.activation.format", activation == "none" ? "none" : "int4"}};
  if (activation != "none") changes.push_back({"quant.activation.estimator", activation});
  return changes;
}

TEST_F(TrainerTest, Bfloat16TrainsAndTheLogSaysWhereFloat32IsFaster) {
  Recorder recorder;
  absl::StatusOr<RunResult> result = Run(Assignment({{"training.dtype", "bfloat16"}}), 1, recorder);
  ASSERT_TRUE(result.ok()) << result.status();
  std::vector<double> losses = recorder.TrainLosses();
  EXPECT_LT(losses.back(), losses.front() - 0.3);
  EXPECT_EQ(recorder.log.find("training.dtype: float32 is faster here") != std::string::npos, !HasBfloat16Products())
      << recorder.log;
  Recorder in_float32;
  ASSERT_TRUE(Run(Assignment(), 1, in_float32).ok());
  EXPECT_EQ(in_float32.log.find("is faster here"), std::string::npos) << in_float32.log;
}

TEST_F(TrainerTest, LearnedScalesTrainFromRecipes) {
  for (auto [weight, activation] : {std::pair{"lsq", "lsq"}, {"paretoq", "none"}, {"post", "asq"}, {"quest", "lsq"}}) {
    SCOPED_TRACE(weight);
    Recorder recorder;
    absl::StatusOr<RunResult> result = Run(Assignment(Learned(weight, activation)), 1, recorder);
    ASSERT_TRUE(result.ok()) << result.status();
    std::vector<double> losses = recorder.TrainLosses();
    EXPECT_LT(losses.back(), losses.front() - 0.3);
    const bool differs = activation != std::string("none") && activation != std::string(weight);
    EXPECT_EQ(result->point.estimator(), differs ? fmt::format("{}+{}", weight, activation) : weight);
  }
}

TEST_F(TrainerTest, LearnedScalesBeginAlikeOnAnyNumberOfRanks) {
  const v1::Assign assignment = Assignment(Learned("lsq", "asq"));
  Recorder one;
  Run(assignment, 1, one).value();
  for (int ranks : {2, 8}) {  // Eight ranks share six sequences: two are idle.
    Recorder many;
    Run(assignment, ranks, many).value();
    const std::vector<double> expected = one.TrainLosses(), losses = many.TrainLosses();
    ASSERT_EQ(losses.size(), expected.size());
    EXPECT_NEAR(losses.front() / expected.front(), 1, 1e-5);  // The same codes: sums run in another order alone.
    EXPECT_NEAR(losses.back() / expected.back(), 1, 2e-2);    // Codes flip on rounding ties.
  }
}

TEST_F(TrainerTest, ResumeRestoresLearnedScales) {
  const v1::Assign assignment = Assignment(Learned("post", "asq"));
  Recorder whole, before, after;
  const double loss = Run(assignment, 2, whole)->point.loss();
  before.stop_at_step = 13;
  before.stop_with = StopRequest::kCancel;
  ASSERT_EQ(Run(assignment, 2, before)->outcome, v1::STOPPED);
  v1::Assign resumed = assignment;
  *resumed.mutable_resume_from() = before.last_checkpoint;
  EXPECT_EQ(Run(resumed, 2, after)->point.loss(), loss);
}

TEST_F(TrainerTest, PrunedWeightsDecayAsTheRecipeSays) {
  std::vector<double> losses;
  const std::vector<RecipeOverride> sparse = {{"sparsity.pattern", "2:4"}, {"quant.weight.scheme", "linear"}};
  for (const auto& [decay, kind] : {std::pair{"0", "gradient"}, {"0.1", "gradient"}, {"0.9", "decoupled"}}) {
    std::vector<RecipeOverride> changes = sparse;
    changes.insert(changes.end(), {{"sparsity.mask_decay", decay}, {"sparsity.mask_decay_kind", kind}});
    Recorder recorder;
    absl::StatusOr<RunResult> result = Run(Assignment(changes), 1, recorder);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_LT(recorder.TrainLosses().back(), recorder.TrainLosses().front() - 0.3);
    losses.push_back(recorder.TrainLosses().back());
  }
  EXPECT_NE(losses[0], losses[1]);
  EXPECT_NE(losses[0], losses[2]);
}

TEST_F(TrainerTest, AnUnquantizedPointIsNotRotated) {
  Recorder recorder;
  v1::Assign assignment = Assignment({{"quant.estimator", "none"},
                                      {"quant.weight.format", "none"},
                                      {"quant.activation.format", "none"},
                                      {"quant.hadamard", "true"}});
  EXPECT_FALSE(Run(assignment, 1, recorder)->point.hadamard());
}

TEST_F(TrainerTest, OneSeedGivesTheSameNumbersAgain) {
  Recorder first, second;
  double loss = Run(Assignment(), 2, first)->point.loss();
  EXPECT_EQ(Run(Assignment(), 2, second)->point.loss(), loss);
  EXPECT_EQ(first.TrainLosses(), second.TrainLosses());
}

TEST_F(TrainerTest, AnyNumberOfRanksGivesTheLossOfOne) {
  Recorder one;
  v1::Assign assignment =
      Assignment({{"quant.estimator", "none"}, {"quant.weight.format", "none"}, {"quant.activation.format", "none"}});
  Run(assignment, 1, one).value();
  for (int ranks : {2, 3, 8}) {  // Eight ranks share six sequences: two are idle.
    Recorder many;
    Run(assignment, ranks, many).value();
    std::vector<double> expected = one.TrainLosses(), losses = many.TrainLosses();
    ASSERT_EQ(losses.size(), expected.size());
    for (size_t i = 0; i < losses.size(); ++i)
      EXPECT_NEAR(losses[i] / expected[i], 1, kRankCountTolerance) << ranks << " ranks, step " << i;
  }
}

TEST_F(TrainerTest, ResumeGivesTheNumbersOfAnUninterruptedRun) {
  Recorder whole, before, after;
  double loss = Run(Assignment(), 2, whole)->point.loss();
  before.stop_at_step = 13;
  before.stop_with = StopRequest::kCancel;
  ASSERT_EQ(Run(Assignment(), 2, before)->outcome, v1::STOPPED);
  ASSERT_EQ(before.last_checkpoint.step(), 8);
  v1::Assign resumed = Assignment();
  *resumed.mutable_resume_from() = before.last_checkpoint;
  EXPECT_EQ(Run(resumed, 2, after)->point.loss(), loss);
  EXPECT_EQ(after.points.front().step(), 0);  // "starting", before the checkpoint is read.
  EXPECT_EQ(after.TrainLosses().size(), 12u);
}

TEST_F(TrainerTest, ResumeAtOtherWorldSizeGivesTheSameLoss) {
  Recorder whole, before, after;
  double loss = Run(Assignment(), 2, whole)->point.loss();
  before.stop_at_step = 13;
  before.stop_with = StopRequest::kCancel;
  Run(Assignment(), 2, before).value();
  v1::Assign resumed = Assignment();
  *resumed.mutable_resume_from() = before.last_checkpoint;
  EXPECT_NEAR(Run(resumed, 1, after)->point.loss() / loss, 1, 1e-2);  // Codes at 2 bits flip on rounding ties.
}

TEST_F(TrainerTest, PreemptionCommitsACheckpointAtItsStep) {
  Recorder recorder;
  recorder.stop_at_step = 5;
  recorder.stop_with = StopRequest::kPreempt;
  EXPECT_EQ(Run(Assignment(), 2, recorder)->outcome, v1::PREEMPTED);
  EXPECT_EQ(recorder.last_checkpoint.step(), 5);
}

TEST_F(TrainerTest, AMissingDatasetIsAnErrorThatNamesIt) {
  Recorder recorder;
  v1::Assign assignment = Assignment({{"dataset.path", "/no/such/dataset"}});
  absl::Status status = Run(assignment, 2, recorder).status();
  EXPECT_NE(std::string(status.message()).find("/no/such/dataset"), std::string::npos) << status;
}

TEST_F(TrainerTest, AMissingCheckpointIsAnErrorAndNotAFreshStart) {
  Recorder recorder;
  v1::Assign assignment = Assignment();
  assignment.mutable_resume_from()->set_step(8);
  assignment.mutable_resume_from()->set_path((folder_ / "gone" / "step-00000008").string());
  EXPECT_EQ(Run(assignment, 1, recorder).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace ridgeline
