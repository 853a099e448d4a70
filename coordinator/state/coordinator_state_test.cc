// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/coordinator_state.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "coordinator/state/test_events.h"

namespace ridgeline {
namespace {

using google::protobuf::util::MessageDifferencer;
using test::Cancelled, test::Checkpointed, test::Ended, test::Feeder, test::MakeJob, test::Retried, test::SnapshotOf,
    test::Started, test::Submitted, test::SubmittedSweep;
using testing::HasSubstr;

class CoordinatorStateTest : public testing::Test {
 protected:
  const v1::Job& Job(int64_t number) { return state_.jobs().at(number); }
  // Runs the job once on a group of its own, to the given end.
  void RunOnce(const std::string& job_id, v1::AttemptOutcome outcome) {
    const int64_t epoch = NextEpoch(*state_.FindById(job_id));
    feeder_.Apply(Started(job_id, epoch, "group-" + job_id));
    feeder_.Apply(Ended(job_id, epoch, outcome));
  }

  CoordinatorState state_;
  Feeder feeder_{&state_};
};

TEST_F(CoordinatorStateTest, CompletedAttemptEndsTheJobAndRecordsItsPoint) {
  feeder_.Apply(Submitted({MakeJob(1)}));
  RunOnce("job-1", v1::COMPLETED);
  EXPECT_EQ(Job(1).state(), v1::SUCCEEDED);
  EXPECT_EQ(Job(1).point_id(), "point-1");
  ASSERT_EQ(state_.points().size(), 1u);
  EXPECT_EQ(state_.points()[0].job_id(), "job-1");
  EXPECT_EQ(state_.points()[0].name(), "run");
  EXPECT_GT(Job(1).end_unix_ms(), Job(1).start_unix_ms());
}

TEST_F(CoordinatorStateTest, LostAttemptQueuesAgainFromItsCheckpointUntilRestartsAreUsedUp) {
  feeder_.Apply(Submitted({MakeJob(1, "run", 1, /*max_restarts=*/1)}));
  feeder_.Apply(Started("job-1", 1, "a"));
  feeder_.Apply(Checkpointed("job-1", 1, 40));
  feeder_.Apply(Ended("job-1", 1, v1::LOST));
  EXPECT_EQ(Job(1).state(), v1::QUEUED);
  EXPECT_EQ(Job(1).restarts(), 1);
  feeder_.Apply(Started("job-1", 2, "a"));
  EXPECT_EQ(Job(1).attempts(1).resumed_from_step(), 40);
  feeder_.Apply(Ended("job-1", 2, v1::LOST));
  EXPECT_EQ(Job(1).state(), v1::FAILED);
  EXPECT_THAT(Job(1).reason(), HasSubstr("recovery.max_restarts=1"));
  EXPECT_THAT(Job(1).reason(), HasSubstr("ridgeline retry job-1"));
}

TEST_F(CoordinatorStateTest, TheStepIsTheOneThatTheAttemptReallyResumedFrom) {
  feeder_.Apply(Submitted({MakeJob(1)}));
  feeder_.Apply(Started("job-1", 1, "a"));
  feeder_.Apply(Checkpointed("job-1", 1, 40));
  feeder_.Apply(Checkpointed("job-1", 1, 60));
  feeder_.Apply(Ended("job-1", 1, v1::LOST));
  feeder_.Apply(Started("job-1", 2, "a"));
  EXPECT_EQ(Job(1).attempts(1).resumed_from_step(), 60);
  v1::Event resumed = Checkpointed("job-1", 2, 40);
  resumed.mutable_checkpoint_recorded()->set_resumed(true);
  feeder_.Apply(resumed);
  EXPECT_EQ(Job(1).attempts(1).resumed_from_step(), 40);
  EXPECT_EQ(Job(1).last_checkpoint().step(), 40);
  EXPECT_EQ(Job(1).reason(), "runs on group 'a', attempt 2 from step 40");
}

TEST_F(CoordinatorStateTest, OnlyACompletedAttemptLeavesArtifacts) {
  feeder_.Apply(Submitted({MakeJob(1)}));
  feeder_.Apply(Started("job-1", 1, "a"));
  v1::Event lost = Ended("job-1", 1, v1::LOST), completed = Ended("job-1", 2, v1::COMPLETED);
  for (v1::Event* event : {&lost, &completed})
    event->mutable_attempt_ended()->add_artifacts()->set_name(event == &lost ? "early" : "model");
  feeder_.Apply(lost);
  EXPECT_EQ(Job(1).artifacts_size(), 0);
  feeder_.Apply(Started("job-1", 2, "a"));
  feeder_.Apply(completed);
  ASSERT_EQ(Job(1).artifacts_size(), 1);
  EXPECT_EQ(Job(1).artifacts(0).name(), "model");
}

TEST_F(CoordinatorStateTest, PreemptionChargesNoRestart) {
  feeder_.Apply(Submitted({MakeJob(1, "run", 1, /*max_restarts=*/0)}));
  for (int i = 0; i < 5; ++i) RunOnce("job-1", v1::PREEMPTED);
  EXPECT_EQ(Job(1).state(), v1::QUEUED);
  EXPECT_EQ(Job(1).restarts(), 0);
}

TEST_F(CoordinatorStateTest, ErrorFailsWithTheWorkersWords) {
  feeder_.Apply(Submitted({MakeJob(1)}));
  RunOnce("job-1", v1::ERROR);
  EXPECT_EQ(Job(1).state(), v1::FAILED);
  EXPECT_EQ(Job(1).reason(), "as told");
}

TEST_F(CoordinatorStateTest, StaleEpochIsRefusedAndChangesNothing) {
  feeder_.Apply(Submitted({MakeJob(1)}));
  RunOnce("job-1", v1::LOST);
  feeder_.Apply(Started("job-1", 2, "b"));
  EXPECT_TRUE(absl::IsFailedPrecondition(state_.CheckLiveEpoch("job-1", 1)));
  EXPECT_TRUE(state_.CheckLiveEpoch("job-1", 2).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(state_.Check(Ended("job-1", 1, v1::COMPLETED))));
  feeder_.Apply(Ended("job-1", 1, v1::COMPLETED));
  feeder_.Apply(Checkpointed("job-1", 1, 90));
  EXPECT_EQ(Job(1).state(), v1::RUNNING);
  EXPECT_FALSE(Job(1).has_last_checkpoint());
  EXPECT_TRUE(state_.points().empty());
}

TEST_F(CoordinatorStateTest, CancelOfAQueuedJobIsTerminalAtOnce) {
  feeder_.Apply(Submitted({MakeJob(1)}));
  feeder_.Apply(Cancelled("job-1"));
  EXPECT_EQ(Job(1).state(), v1::CANCELLED);
  EXPECT_TRUE(absl::IsFailedPrecondition(state_.Check(Cancelled("job-1"))));
}

TEST_F(CoordinatorStateTest, CancelledJobNeverGoesBackToTheQueue) {
  for (const v1::AttemptOutcome outcome : {v1::LOST, v1::PREEMPTED, v1::STOPPED}) {
    const int64_t number = state_.next_job_number();
    feeder_.Apply(Submitted({MakeJob(number)}));
    feeder_.Apply(Started(JobId(number), 1, "a"));
    feeder_.Apply(Cancelled(JobId(number)));
    EXPECT_EQ(Job(number).state(), v1::RUNNING);
    feeder_.Apply(Ended(JobId(number), 1, outcome));
    EXPECT_EQ(Job(number).state(), v1::CANCELLED) << v1::AttemptOutcome_Name(outcome);
  }
}

TEST_F(CoordinatorStateTest, RetryKeepsTheCheckpointAndGivesFreshRestarts) {
  feeder_.Apply(Submitted({MakeJob(1, "run", 1, /*max_restarts=*/0)}));
  feeder_.Apply(Started("job-1", 1, "a"));
  feeder_.Apply(Checkpointed("job-1", 1, 40));
  feeder_.Apply(Ended("job-1", 1, v1::LOST));
  ASSERT_EQ(Job(1).state(), v1::FAILED);
  feeder_.Apply(Retried("job-1"));
  EXPECT_EQ(Job(1).state(), v1::QUEUED);
  EXPECT_EQ(Job(1).restarts(), 0);
  EXPECT_EQ(Job(1).end_unix_ms(), 0);
  EXPECT_EQ(Job(1).last_checkpoint().step(), 40);
  EXPECT_TRUE(absl::IsFailedPrecondition(state_.Check(Retried("job-1"))));
}

TEST_F(CoordinatorStateTest, ParentFollowsItsChildren) {
  feeder_.Apply(SubmittedSweep(1, 3));
  EXPECT_EQ(Job(1).state(), v1::QUEUED);
  EXPECT_EQ(state_.QueuedJobs().size(), 3u) << "a parent itself never runs";
  RunOnce("job-2", v1::COMPLETED);
  EXPECT_EQ(Job(1).state(), v1::RUNNING);
  RunOnce("job-3", v1::ERROR);
  EXPECT_EQ(Job(1).state(), v1::RUNNING);
  RunOnce("job-4", v1::COMPLETED);
  EXPECT_EQ(Job(1).state(), v1::FAILED);
  feeder_.Apply(Retried("job-1"));
  EXPECT_EQ(Job(1).state(), v1::RUNNING);
  EXPECT_EQ(Job(2).state(), v1::SUCCEEDED) << "a retry of a sweep leaves what succeeded alone";
  RunOnce("job-3", v1::COMPLETED);
  EXPECT_EQ(Job(1).state(), v1::SUCCEEDED);
}

TEST_F(CoordinatorStateTest, CancelOfAParentCancelsItsChildren) {
  feeder_.Apply(SubmittedSweep(1, 2));
  feeder_.Apply(Started("job-2", 1, "a"));
  feeder_.Apply(Cancelled("job-1"));
  EXPECT_EQ(Job(3).state(), v1::CANCELLED);
  EXPECT_TRUE(Job(2).cancel_requested());
  EXPECT_EQ(Job(1).state(), v1::RUNNING);
  feeder_.Apply(Ended("job-2", 1, v1::STOPPED));
  EXPECT_EQ(Job(1).state(), v1::CANCELLED);
}

TEST_F(CoordinatorStateTest, NameMeansTheNewestJobAndUnknownNamesSayHowToList) {
  feeder_.Apply(Submitted({MakeJob(1, "nano")}));
  feeder_.Apply(Submitted({MakeJob(2, "nano")}));
  EXPECT_EQ((*state_.Find("nano"))->id(), "job-2");
  EXPECT_EQ((*state_.Find("job-1"))->id(), "job-1");
  const absl::Status missing = state_.Find("job-07").status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_THAT(std::string(missing.message()), testing::AllOf(HasSubstr("job-07"), HasSubstr("ridgeline list")));
}

TEST_F(CoordinatorStateTest, KnownRequestIdIsRefusedAndGroupTakesOneJobAtATime) {
  feeder_.Apply(Submitted({MakeJob(1)}, "r1"));
  EXPECT_TRUE(absl::IsAlreadyExists(state_.Check(Submitted({MakeJob(2)}, "r1"))));
  feeder_.Apply(Submitted({MakeJob(2)}, "r2"));
  feeder_.Apply(Started("job-1", 1, "a"));
  EXPECT_TRUE(absl::IsFailedPrecondition(state_.Check(Started("job-2", 1, "a"))));
  EXPECT_EQ(state_.JobOnGroup("a")->id(), "job-1");
}

TEST_F(CoordinatorStateTest, NoRoomWaitsLongerEachTimeChargesNothingAndKeepsOneAttempt) {
  feeder_.Apply(Submitted({MakeJob(1, "run", 1, /*max_restarts=*/0)}));
  std::vector<int64_t> waits_ms;
  for (int epoch = 1; epoch <= 7; ++epoch) {
    feeder_.Apply(Started("job-1", epoch, "a"));
    feeder_.Apply(Ended("job-1", epoch, v1::NO_ROOM));
    ASSERT_EQ(Job(1).state(), v1::QUEUED);
    waits_ms.push_back(Job(1).not_before_unix_ms() - feeder_.history().back().time_unix_ms());
  }
  EXPECT_EQ(waits_ms, (std::vector<int64_t>{5'000, 10'000, 20'000, 40'000, 60'000, 60'000, 60'000}));
  EXPECT_EQ(Job(1).restarts(), 0);
  EXPECT_EQ(Job(1).attempts_size(), 1) << "however long the disk stays full, the state does not grow";
  EXPECT_EQ(NextEpoch(Job(1)), 8);
  EXPECT_THAT(Job(1).reason(),
              testing::AllOf(HasSubstr("no room on the disk of worker group 'a'"), HasSubstr("as told")));

  feeder_.Apply(Started("job-1", 8, "a"));
  feeder_.Apply(Checkpointed("job-1", 8, 40));
  feeder_.Apply(Ended("job-1", 8, v1::NO_ROOM));
  EXPECT_EQ(Job(1).not_before_unix_ms() - feeder_.history().back().time_unix_ms(), 5'000) << "there was progress";
  EXPECT_EQ(Job(1).attempts_size(), 2);
  feeder_.Apply(Started("job-1", 9, "a"));
  feeder_.Apply(Ended("job-1", 9, v1::COMPLETED));
  EXPECT_EQ(Job(1).state(), v1::SUCCEEDED);
}

TEST_F(CoordinatorStateTest, OnlyTheHolderMayWriteAboutAnAttempt) {
  feeder_.Apply(Submitted({MakeJob(1)}));
  feeder_.Apply(Started("job-1", 1, "a"));
  EXPECT_TRUE(state_.CheckHeldBy({"a", "a-1"}, "job-1", 1).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(state_.CheckHeldBy({"a", "a-2"}, "job-1", 1)));
  EXPECT_TRUE(absl::IsPermissionDenied(state_.CheckHeldBy({"b", "a-1"}, "job-1", 1)));
  EXPECT_TRUE(absl::IsFailedPrecondition(state_.CheckHeldBy({"a", "a-1"}, "job-1", 2)));
  EXPECT_TRUE(absl::IsNotFound(state_.CheckHeldBy({"a", "a-1"}, "job-2", 1)));
}

TEST_F(CoordinatorStateTest, ChildHoldsItsDifferenceAndShowsItsWholeRecipe) {
  v1::Event sweep = SubmittedSweep(1, 2);
  v1::JobsSubmitted& submitted = *sweep.mutable_jobs_submitted();
  std::vector<v1::Recipe> recipes;
  for (v1::Job& job : *submitted.mutable_jobs()) {
    (*job.mutable_recipe()->mutable_labels())["team"] = "blue";
    for (int i = 0; i < 1000; ++i) job.mutable_recipe()->mutable_quant()->add_skip("layer-" + std::to_string(i));
    job.mutable_recipe()->mutable_resources()->set_ranks(2 * ParseJobNumber(job.id()));
    *job.mutable_labels() = job.recipe().labels();
    recipes.push_back(job.recipe());
  }
  feeder_.Apply(sweep);
  for (int64_t number = 1; number <= 3; ++number) {
    EXPECT_TRUE(MessageDifferencer::Equals(state_.RecipeOf(Job(number)), recipes[number - 1]));
    const v1::Job copy = state_.CopyOf(Job(number));
    EXPECT_TRUE(MessageDifferencer::Equals(copy.recipe(), recipes[number - 1]));
    EXPECT_EQ(copy.labels().at("team"), "blue");
    EXPECT_FALSE(copy.has_recipe_difference());
    EXPECT_EQ(state_.CopyOf(Job(number), {"training"}).labels().at("team"), "blue");
    EXPECT_EQ(state_.CopyOf(Job(number), {"training"}).recipe().training().steps(), 100);
    EXPECT_EQ(state_.CopyOf(Job(number), {"training"}).recipe().quant().skip_size(), 0);
  }
  EXPECT_EQ(state_.ResourcesWanted(Job(3)).ranks(), 6);
  EXPECT_LT(Job(3).ByteSizeLong(), 200u);
}

// Any event, sensible or not, against the promises that hold after each.
class RandomHistoryTest : public testing::TestWithParam<int> {
 protected:
  v1::Event RandomEvent() {
    const std::string job_id = JobId(Pick(state_.next_job_number() + 1));
    const int64_t epoch = Pick(4);
    switch (Pick(8)) {
      case 0:
        return Submitted({MakeJob(state_.next_job_number())}, "r" + std::to_string(Pick(20)));
      case 1:
        return SubmittedSweep(state_.next_job_number(), 1 + Pick(3));
      case 2:
      case 3:
        return Started(job_id, epoch, "g" + std::to_string(Pick(3)));
      case 4:
        return Checkpointed(job_id, epoch, Pick(100));
      case 5:
        return Cancelled(job_id);
      case 6:
        return Retried(job_id);
      default:
        return Ended(job_id, epoch, static_cast<v1::AttemptOutcome>(Pick(7)));
    }
  }
  int Pick(int64_t n) { return static_cast<int>(random_() % n); }

  void ExpectOneLiveAttemptAtMost() {
    std::map<std::string, int> on_group;
    for (const auto& [number, job] : state_.jobs()) {
      int live = 0;
      for (const v1::Attempt& attempt : job.attempts()) live += attempt.outcome() == v1::ATTEMPT_OUTCOME_UNSPECIFIED;
      ASSERT_LE(live, 1) << job.ShortDebugString();
      ASSERT_TRUE(IsParent(job) || (live == 1) == (job.state() == v1::RUNNING)) << job.ShortDebugString();
      ASSERT_TRUE(live == 0 || ++on_group[LiveAttempt(job)->group_id()] == 1);
      ASSERT_EQ(IsTerminal(job.state()), job.end_unix_ms() > 0) << job.ShortDebugString();
    }
  }

  std::mt19937 random_{static_cast<uint32_t>(GetParam())};
  CoordinatorState state_;
  Feeder feeder_{&state_};
};

TEST_P(RandomHistoryTest, KeepsItsPromisesAndReplaysToTheSameState) {
  std::map<std::string, v1::JobState> followed;
  std::map<std::string, int> terminal_records;
  v1::Snapshot middle;
  for (int i = 0; i < 600; ++i) {
    const v1::Event event = RandomEvent();
    const bool refused = !state_.Check(event).ok();
    const auto transitions = feeder_.Apply(event);
    ASSERT_TRUE(!refused || transitions.empty());
    for (const auto& transition : transitions) {
      ASSERT_EQ(followed[transition.job_id], transition.from);
      followed[transition.job_id] = transition.to;
      // A terminal job changes only by a retry, which opens a new record.
      ASSERT_TRUE(!IsTerminal(transition.from) || event.has_job_retried());
      terminal_records[transition.job_id] += IsTerminal(transition.to) - IsTerminal(transition.from);
      ASSERT_LE(terminal_records[transition.job_id], 1);
    }
    ASSERT_NO_FATAL_FAILURE(ExpectOneLiveAttemptAtMost());
    if (i == 300) middle = SnapshotOf(state_);
  }
  CoordinatorState replayed;
  for (const v1::Event& event : feeder_.history()) replayed.Apply(event);
  for (const v1::Event& event : feeder_.history()) replayed.Apply(event);  // Duplicates change nothing.
  EXPECT_TRUE(MessageDifferencer::Equals(SnapshotOf(replayed), SnapshotOf(state_)));

  auto resumed = CoordinatorState::FromSnapshot(middle);
  ASSERT_TRUE(resumed.ok());
  for (const v1::Event& event : feeder_.history()) resumed->Apply(event);
  EXPECT_TRUE(MessageDifferencer::Equals(SnapshotOf(*resumed), SnapshotOf(state_)));
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomHistoryTest, testing::Range(0, 30));

}  // namespace
}  // namespace ridgeline
