// SPDX-License-Identifier: Apache-2.0
// Attempts that are to come to a step and no further, as trials of a sweep are: what stands there, and that going on
// gives the numbers of a run that did not stop.
#include <map>
#include <set>

#include "fmt/format.h"
#include "quant/autograd/torch_pch.h"
#include "worker/checkpoint/store/checkpoint_folders.h"
#include "worker/train/attempt_test.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

class StopAtStepTest : public AttemptTest {
 protected:
  // gpt-nano for ten steps, without checkpoints or validations but those that a stop makes.
  v1::Assign Nano(const std::vector<RecipeOverride>& changes = {}) const {
    v1::Assign assignment = Assignment(
        With({{"training.steps", "10"}, {"checkpoint.interval", "0"}, {"validation.interval", "0"}}, changes));
    assignment.mutable_recipe()->mutable_model()->Clear();
    assignment.mutable_recipe()->mutable_model()->set_name("gpt-nano");
    ApplyRecipeDefaults(assignment.mutable_recipe());
    return assignment;
  }
  static v1::Assign Until(v1::Assign assignment, int64_t step) {
    assignment.set_stop_at_step(step);
    return assignment;
  }
  // The next attempt, which goes on from where that one was.
  static v1::Assign After(v1::Assign assignment, const Recorder& before) {
    assignment.set_epoch(assignment.epoch() + 1);
    *assignment.mutable_resume_from() = before.last_checkpoint;
    return assignment;
  }
  // Held-out losses by step.
  static std::map<int64_t, double> Validations(const Recorder& recorder) {
    std::map<int64_t, double> losses;
    for (const v1::MetricPoint& point : recorder.points)
      if (point.has_validation_loss()) losses[point.step()] = point.validation_loss();
    return losses;
  }
  CheckpointManifest ManifestAt(int64_t step) const {
    const fs::path root = folder_ / "work" / "jobs" / "job-1" / "checkpoints";
    return ReadManifest((root / fmt::format("step-{:08d}", step)).string()).value();
  }
};

TEST_F(StopAtStepTest, StoppingAndGoingOnGivesTheNumbersOfARunThatDidNot) {
  for (const int ranks : {1, 2}) {
    SCOPED_TRACE(ranks);
    Recorder whole, first, second;
    const auto expected = Run(Nano(), ranks, whole);
    ASSERT_TRUE(expected.ok()) << expected.status();
    const auto reached = Run(Until(Nano(), 5), ranks, first);
    ASSERT_TRUE(reached.ok()) << reached.status();
    EXPECT_EQ(reached->outcome, v1::REACHED);
    EXPECT_FALSE(reached->point.has_value());
    EXPECT_EQ(first.last_checkpoint.step(), 5);
    const auto ended = Run(After(Nano(), first), ranks, second);
    ASSERT_TRUE(ended.ok()) << ended.status();
    EXPECT_EQ(ended->outcome, v1::COMPLETED);
    std::vector<double> losses = first.TrainLosses();
    for (const double loss : second.TrainLosses()) losses.push_back(loss);
    EXPECT_EQ(losses.size(), 10u);
    EXPECT_EQ(losses, whole.TrainLosses());
    EXPECT_EQ(ended->point->loss(), expected->point->loss());
    EXPECT_EQ(ended->point->accuracy(), expected->point->accuracy());
  }
}

TEST_F(StopAtStepTest, ARunMayStopMoreThanOnce) {
  Recorder whole, first, second, third;
  const auto expected = Run(Nano(), 1, whole);
  ASSERT_EQ(Run(Until(Nano(), 2), 1, first)->outcome, v1::REACHED);
  const v1::Assign next = After(Until(Nano(), 7), first);
  ASSERT_EQ(Run(next, 1, second)->outcome, v1::REACHED);
  const auto ended = Run(After(Until(next, 0), second), 1, third);
  ASSERT_EQ(ended->outcome, v1::COMPLETED);
  EXPECT_EQ(second.TrainLosses().size(), 5u);
  EXPECT_EQ(ended->point->loss(), expected->point->loss());
}

TEST_F(StopAtStepTest, TheStopHasAHeldOutLossWhichIsThatOfAValidationThereAndItsCheckpointHasIt) {
  Recorder validated, stopped;
  ASSERT_TRUE(Run(Nano({{"validation.interval", "5"}}), 2, validated).ok());
  ASSERT_EQ(Run(Until(Nano(), 5), 2, stopped)->outcome, v1::REACHED);
  const std::map<int64_t, double> losses = Validations(stopped);
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses.begin()->first, 5);
  EXPECT_EQ(losses.at(5), Validations(validated).at(5));
  EXPECT_EQ(ManifestAt(5).validation_loss.value(), losses.at(5));
}

TEST_F(StopAtStepTest, TheStopsTrainingLossIsToldInLongRunsTooWhereNotEveryStepIs) {
  Recorder recorder;
  ASSERT_EQ(Run(Until(Nano({{"training.steps", "100000"}}), 3), 1, recorder)->outcome, v1::REACHED);
  std::set<int64_t> told;
  for (const v1::MetricPoint& point : recorder.points)
    if (point.has_train_loss()) told.insert(point.step());
  EXPECT_TRUE(told.contains(3));
}

TEST_F(StopAtStepTest, WhereValidationAndCheckpointAreDueAnywayTheyAreMadeOnce) {
  Recorder recorder;
  ASSERT_EQ(Run(Until(Nano({{"validation.interval", "5"}, {"checkpoint.interval", "5"}}), 5), 2, recorder)->outcome,
            v1::REACHED);
  int validations = 0;
  for (const v1::MetricPoint& point : recorder.points) validations += point.has_validation_loss() ? 1 : 0;
  EXPECT_EQ(validations, 1);
  EXPECT_TRUE(ManifestAt(5).validation_loss.has_value());
}

TEST_F(StopAtStepTest, AStopThatWasReachedAndNotHeardIsToldAgainWithItsLoss) {
  Recorder first, again;
  ASSERT_EQ(Run(Until(Nano(), 5), 1, first)->outcome, v1::REACHED);
  const auto reached = Run(After(Until(Nano(), 5), first), 1, again);
  ASSERT_TRUE(reached.ok()) << reached.status();
  EXPECT_EQ(reached->outcome, v1::REACHED);
  EXPECT_TRUE(again.TrainLosses().empty());
  EXPECT_EQ(Validations(again), Validations(first));
}

TEST_F(StopAtStepTest, AStopAtTheLastStepOrBeyondIsTheWholeRun) {
  for (const int64_t stop : {10, 11, 1'000'000}) {
    Recorder recorder;
    const auto ended = Run(Until(Nano(), stop), 1, recorder);
    ASSERT_TRUE(ended.ok()) << ended.status();
    EXPECT_EQ(ended->outcome, v1::COMPLETED);
    EXPECT_TRUE(ended->point.has_value());
  }
}

TEST_F(StopAtStepTest, WhoIsAskedToEndBeforeTheStopGoesOnToItLater) {
  Recorder first, second;
  first.stop_at_step = 3;
  first.stop_with = StopRequest::kPreempt;
  ASSERT_EQ(Run(Until(Nano(), 5), 1, first)->outcome, v1::PREEMPTED);
  ASSERT_EQ(first.last_checkpoint.step(), 3);
  EXPECT_EQ(Run(After(Until(Nano(), 5), first), 1, second)->outcome, v1::REACHED);
  EXPECT_EQ(second.last_checkpoint.step(), 5);
  EXPECT_EQ(second.TrainLosses().size(), 2u);
}

}  // namespace
}  // namespace ridgeline
