// SPDX-License-Identifier: Apache-2.0
#include "worker/train/trainer.h"

#include <algorithm>
#include <set>

#include "fmt/format.h"
#include "method/estimator_traits.h"
#include "model/ops/cpu/matrix_product.h"
#include "quant/autograd/torch_pch.h"
#include "worker/checkpoint/checkpoint_source.h"
#include "worker/train/attempt_test.h"

namespace ridgeline {
namespace {

// Sums over ranks run in another order than within one rank: losses agree to this, relative.
constexpr double kRankCountTolerance = 1e-3;

using TrainerTest = AttemptTest;

TEST_F(TrainerTest, TrainingLowersTheLossAndLeavesAPoint) {
  Recorder recorder;
  absl::StatusOr<RunResult> result = Run(Assignment(), 1, recorder);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outcome, v1::COMPLETED);
  std::vector<double> losses = recorder.TrainLosses();
  ASSERT_EQ(losses.size(), 20u);
  EXPECT_LT(losses.back(), losses.front() - 0.3);
  EXPECT_EQ(result->point->estimator(), "ridge");
  EXPECT_EQ(result->point->tokens(), 20 * 6 * 32);
  EXPECT_GT(result->point->accuracy(), 0);
  EXPECT_DOUBLE_EQ(result->point->bits_per_element(), 2 + 32.0 / 32 * (12 * 32 * 32 - 4 * 32 * 32) / (12 * 32 * 32) +
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
  EXPECT_EQ(result->point->estimator(), GetParam());
  EXPECT_EQ(result->point->hadamard(), has_blocks);
  if (!traits.scheme || !traits.is_defined_for(Side::kWeight)) return;
  EXPECT_EQ(result->point->weight_scheme(), SchemeName(*traits.scheme));
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
    EXPECT_EQ(result->point->estimator(), differs ? fmt::format("{}+{}", weight, activation) : weight);
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
  const double loss = Run(assignment, 2, whole)->point->loss();
  before.stops_after_checkpoint = true;
  before.stop_with = StopRequest::kCancel;
  ASSERT_EQ(Run(assignment, 2, before)->outcome, v1::STOPPED);
  v1::Assign resumed = assignment;
  *resumed.mutable_resume_from() = before.last_checkpoint;
  EXPECT_EQ(Run(resumed, 2, after)->point->loss(), loss);
}

// Sum of squares of the two smallest of each four weights, over the linear layers of a checkpoint.
double PrunedSquares(const std::string& checkpoint) {
  double sum = 0;
  int matrices = 0;
  const std::unique_ptr<CheckpointSource> source = CheckpointSource::Open(checkpoint).value();
  for (const auto& [name, stored] : source->manifest().tensors) {
    const bool is_linear = name.starts_with("h.") && name.ends_with(".weight") && stored.shape.size() == 2;
    if (!is_linear) continue;
    ++matrices;
    const at::Tensor whole = source->Rows(name, stored.shape, 0, stored.rows()).value();
    const at::Tensor ascending = std::get<0>(whole.abs().view({-1, 4}).sort(1));
    sum += ascending.narrow(1, 0, 2).to(at::kDouble).square().sum().item<double>();
  }
  EXPECT_EQ(matrices, 8);
  return sum;
}

TEST_F(TrainerTest, PrunedWeightsDecayAsTheRecipeSays) {
  std::vector<double> squares;
  for (const auto& [decay, kind] : {std::pair{"0", "gradient"}, {"1", "gradient"}, {"1", "decoupled"}}) {
    Recorder recorder;
    absl::StatusOr<RunResult> result = Run(Assignment({{"sparsity.pattern", "2:4"},
                                                       {"sparsity.mask_decay", decay},
                                                       {"sparsity.mask_decay_kind", kind},
                                                       {"quant.weight.scheme", "linear"},
                                                       {"optimizer.lr", "1e-2"},
                                                       {"training.steps", "60"},
                                                       {"checkpoint.interval", "60"}}),
                                           1, recorder);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_LT(recorder.TrainLosses().back(), recorder.TrainLosses().front() - 0.3);
    squares.push_back(PrunedSquares((folder_ / "work" / recorder.last_checkpoint.path()).string()));
  }
  EXPECT_LT(squares[1], 0.9 * squares[0]);
  EXPECT_LT(squares[2], 0.9 * squares[0]);
}

// Of weights and of activations, as far as the validator allows it.
TEST_F(TrainerTest, EveryEstimatorAndFormatThatARecipeMayNameRuns) {
  std::set<std::string> estimators, formats;
  for (const std::string& estimator : EstimatorsOfTheTable())
    for (Format table_format : EveryFormat())
      for (bool of_weights : {true, false}) {
        const std::string format(FormatName(table_format));
        if (format == "none") continue;
        const v1::Assign assignment = Assignment({{"quant.estimator", estimator},
                                                  {"quant.weight.format", of_weights ? format : "none"},
                                                  {"quant.activation.format", of_weights ? "none" : format},
                                                  {"lr_scheduler.warmup_steps", "1"},
                                                  {"validation.sequences", "2"},
                                                  {"training.steps", "2"}});
        if (!ValidateRecipe(assignment.recipe()).empty()) continue;
        SCOPED_TRACE(fmt::format("{} {} of {}", estimator, format, of_weights ? "weights" : "activations"));
        Recorder recorder;
        absl::StatusOr<RunResult> result = Run(assignment, 1, recorder);
        ASSERT_TRUE(result.ok()) << result.status();
        EXPECT_EQ(recorder.TrainLosses().size(), 2u);
        EXPECT_EQ(of_weights ? result->point->weight_format() : result->point->activation_format(), format);
        estimators.insert(estimator);
        formats.insert(format);
      }
  // All of them: the validator has not refused one everywhere.
  EXPECT_EQ(estimators.size(), EstimatorsOfTheTable().size());
  const std::vector<Format> all = EveryFormat();
  EXPECT_EQ(formats.size(), all.size() - static_cast<size_t>(std::count(all.begin(), all.end(), Format::kNone)));
}

TEST_F(TrainerTest, AnUnquantizedPointIsNotRotated) {
  Recorder recorder;
  v1::Assign assignment = Assignment({{"quant.estimator", "none"},
                                      {"quant.weight.format", "none"},
                                      {"quant.activation.format", "none"},
                                      {"quant.hadamard", "true"}});
  EXPECT_FALSE(Run(assignment, 1, recorder)->point->hadamard());
}

TEST_F(TrainerTest, OneSeedGivesTheSameNumbersAgain) {
  Recorder first, second;
  double loss = Run(Assignment(), 2, first)->point->loss();
  EXPECT_EQ(Run(Assignment(), 2, second)->point->loss(), loss);
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
  double loss = Run(Assignment(), 2, whole)->point->loss();
  before.stops_after_checkpoint = true;
  before.stop_with = StopRequest::kCancel;
  ASSERT_EQ(Run(Assignment(), 2, before)->outcome, v1::STOPPED);
  ASSERT_EQ(before.last_checkpoint.step(), 8);
  v1::Assign resumed = Assignment();
  *resumed.mutable_resume_from() = before.last_checkpoint;
  EXPECT_EQ(Run(resumed, 2, after)->point->loss(), loss);
  EXPECT_EQ(after.points.front().step(), 0);  // "starting", before the checkpoint is read.
  EXPECT_EQ(after.TrainLosses().size(), 12u);
}

TEST_F(TrainerTest, ResumeAtOtherWorldSizeGivesTheSameLoss) {
  Recorder whole, before, after;
  double loss = Run(Assignment(), 2, whole)->point->loss();
  before.stops_after_checkpoint = true;
  before.stop_with = StopRequest::kCancel;
  Run(Assignment(), 2, before).value();
  v1::Assign resumed = Assignment();
  *resumed.mutable_resume_from() = before.last_checkpoint;
  EXPECT_NEAR(Run(resumed, 1, after)->point->loss() / loss, 1, 1e-2);  // Codes at 2 bits flip on rounding ties.
}

TEST_F(TrainerTest, PreemptionCommitsACheckpointAtItsStep) {
  Recorder recorder;
  recorder.stop_at_step = 5;
  recorder.stop_with = StopRequest::kPreempt;
  EXPECT_EQ(Run(Assignment(), 2, recorder)->outcome, v1::PREEMPTED);
  EXPECT_EQ(recorder.last_checkpoint.step(), 5);
}

TEST_F(TrainerTest, EveryRanksLinesReachRankZeroWithItsNumberAndItsMemoryIsCounted) {
  Recorder recorder;
  ASSERT_TRUE(Run(Assignment(), 3, recorder).ok());
  std::set<int> ranks;
  for (const v1::LogLine& line : recorder.lines) ranks.insert(line.rank());
  EXPECT_EQ(ranks, (std::set<int>{0, 1, 2}));
  EXPECT_GT(recorder.others_memory_bytes, 2 * (int64_t{1} << 20));
  Recorder alone;
  ASSERT_TRUE(Run(Assignment(), 1, alone).ok());
  EXPECT_EQ(alone.others_memory_bytes, 0);
}

TEST_F(TrainerTest, ADamagedNewestCheckpointIsToldAndTheOneThatIsTakenToo) {
  v1::Assign assignment = Assignment();
  Recorder before, after;
  ASSERT_TRUE(Run(assignment, 2, before).ok());
  ASSERT_EQ(before.last_checkpoint.step(), 16);
  EXPECT_EQ(before.last_checkpoint.path(), "jobs/job-1/checkpoints/step-00000016");
  const std::filesystem::path damaged = folder_ / "work" / before.last_checkpoint.path();
  std::filesystem::resize_file(damaged / "state-00001-of-00002.safetensors", 100);
  assignment.set_epoch(2);
  *assignment.mutable_resume_from() = before.last_checkpoint;
  ASSERT_TRUE(Run(assignment, 2, after).ok());
  EXPECT_EQ(after.resumed.step(), 8);
  EXPECT_EQ(after.resumed.path(), "jobs/job-1/checkpoints/step-00000008");
  EXPECT_EQ(after.TrainLosses().size(), 12u);
  EXPECT_TRUE(std::any_of(after.lines.begin(), after.lines.end(), [&](const v1::LogLine& line) {
    return line.level() == "warn" && line.text().find(damaged.string()) != std::string::npos;
  })) << after.log;
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
