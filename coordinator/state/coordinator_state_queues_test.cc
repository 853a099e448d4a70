// SPDX-License-Identifier: Apache-2.0
// Queues and their use, pauses, time limits, labels, restarts that are forgotten.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/state/test_events.h"

namespace ridgeline::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kHourMs = 3'600'000;

class QueuesTest : public testing::Test {
 protected:
  absl::Status Check(v1::Event event) {
    event.set_sequence(state_.sequence() + 1);
    return state_.Check(event);
  }
  // At so many hours after the first event's day began.
  void At(double hours, v1::Event event) {
    event.set_sequence(state_.sequence() + 1);
    event.set_time_unix_ms(kStartMs + static_cast<int64_t>(hours * kHourMs));
    state_.Apply(event);
  }
  const v1::Job& Job(const std::string& id) const { return *state_.FindById(id); }
  static v1::Event Change(const std::string& id) {
    v1::Event event;
    event.mutable_job_changed()->set_job_id(id);
    return event;
  }
  static v1::Event Labelled(const std::string& id, const std::string& key, const std::string& value) {
    v1::Event event = Change(id);
    (*event.mutable_job_changed()->mutable_labels())[key] = value;
    return event;
  }

  static constexpr int64_t kStartMs = 1'700'000'000'000;
  CoordinatorState state_;
  Feeder feeder_{&state_};
};

TEST_F(QueuesTest, AJobForAQueueThatIsNotThereIsRefusedWithThoseThatAre) {
  feeder_.Apply(QueueSetTo("large", 2));
  v1::Job job = MakeJob(1);
  job.set_queue("huge");
  const absl::Status status = Check(Submitted({job}));
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), testing::AllOf(HasSubstr("'huge'"), HasSubstr("default, large")));
  job.set_queue("large");
  EXPECT_TRUE(Check(Submitted({job})).ok());
  EXPECT_TRUE(Check(Submitted({MakeJob(1)})).ok()) << "no queue is the default one";
}

TEST_F(QueuesTest, LimitsThatNoQueueCanHaveAreRefused) {
  EXPECT_FALSE(Check(QueueSetTo("q", 0)).ok());
  EXPECT_FALSE(Check(QueueSetTo("q", std::nan(""))).ok());
  EXPECT_FALSE(Check(QueueSetTo("q", 1, -1)).ok());
  EXPECT_FALSE(Check(QueueSetTo("q", 1, 0, -1)).ok());
  EXPECT_FALSE(Check(QueueSetTo("", 1)).ok());
  EXPECT_TRUE(Check(QueueSetTo("q", 0.5, 8, 100, 12)).ok());
}

TEST_F(QueuesTest, RankHoursAreThoseOfAttemptsWithinThePeriod) {
  At(0, Submitted({MakeJob(1), MakeJob(2), MakeJob(3)}));
  At(0, Started("job-1", 1, "a"));  // 2 ranks each.
  At(3, Ended("job-1", 1, v1::COMPLETED));
  At(1, Started("job-2", 1, "b"));
  At(2, Started("job-3", 1, "c"));
  At(4, Ended("job-3", 1, v1::NO_ROOM));
  const auto used = [&](double period_hours, double at_hours) {
    return state_.RankHours(kDefaultQueue, period_hours, kStartMs + static_cast<int64_t>(at_hours * kHourMs));
  };
  EXPECT_DOUBLE_EQ(used(24, 5), 2 * 3 + 2 * 4) << "what found no room is charged to nobody";
  EXPECT_DOUBLE_EQ(used(3, 5), 2 * 1 + 2 * 3);
  EXPECT_DOUBLE_EQ(used(1, 5), 2 * 1);
  EXPECT_EQ(state_.RankHours("large", 24, kStartMs), 0);
  const auto restored = CoordinatorState::FromSnapshot(SnapshotOf(state_));
  ASSERT_TRUE(restored.ok());
  EXPECT_DOUBLE_EQ(restored->RankHours(kDefaultQueue, 3, kStartMs + 5 * kHourMs), used(3, 5));
}

TEST_F(QueuesTest, APausedJobWaitsForResumeAndARunningOneForItsCheckpointFirst) {
  feeder_.Apply(Submitted({MakeJob(1), MakeJob(2)}));
  feeder_.Apply(Paused("job-1", true));
  EXPECT_EQ(Job("job-1").state(), v1::PAUSED);
  EXPECT_FALSE(Check(Started("job-1", 1, "a")).ok());
  feeder_.Apply(Paused("job-1", false));
  EXPECT_EQ(Job("job-1").state(), v1::QUEUED);

  feeder_.Apply(Started("job-2", 1, "a"));
  feeder_.Apply(Paused("job-2", true));
  EXPECT_EQ(Job("job-2").state(), v1::RUNNING);
  EXPECT_EQ(LiveAttempt(Job("job-2"))->preempt_reason(), "paused on request");
  feeder_.Apply(Checkpointed("job-2", 1, 30));
  feeder_.Apply(Ended("job-2", 1, v1::PREEMPTED));
  EXPECT_EQ(Job("job-2").state(), v1::PAUSED);
  EXPECT_EQ(Job("job-2").restarts(), 0);
  EXPECT_THAT(Job("job-2").reason(), HasSubstr("`ridgeline resume job-2` lets it go on from step 30"));
  feeder_.Apply(Paused("job-2", false));
  EXPECT_EQ(Job("job-2").state(), v1::QUEUED);
}

TEST_F(QueuesTest, AJobThatIsResumedBeforeItsAttemptEndedIsQueued) {
  feeder_.Apply(Submitted({MakeJob(1)}));
  feeder_.Apply(Started("job-1", 1, "a"));
  feeder_.Apply(Paused("job-1", true));
  feeder_.Apply(Paused("job-1", false));
  feeder_.Apply(Ended("job-1", 1, v1::PREEMPTED));
  EXPECT_EQ(Job("job-1").state(), v1::QUEUED);
}

TEST_F(QueuesTest, APausedJobWhoseGroupIsLostPaysForItAndStaysPaused) {
  feeder_.Apply(Submitted({MakeJob(1)}));
  feeder_.Apply(Started("job-1", 1, "a"));
  feeder_.Apply(Paused("job-1", true));
  feeder_.Apply(Ended("job-1", 1, v1::LOST));
  EXPECT_EQ(Job("job-1").state(), v1::PAUSED);
  EXPECT_EQ(Job("job-1").restarts(), 1);
  feeder_.Apply(Cancelled("job-1"));
  EXPECT_EQ(Job("job-1").state(), v1::CANCELLED);
}

TEST_F(QueuesTest, AParentPausesAndResumesItsChildren) {
  feeder_.Apply(SubmittedSweep(1, 2));
  feeder_.Apply(Started("job-2", 1, "a"));
  feeder_.Apply(Paused("job-1", true));
  EXPECT_EQ(Job("job-3").state(), v1::PAUSED);
  EXPECT_EQ(Job("job-1").state(), v1::RUNNING);
  feeder_.Apply(Ended("job-2", 1, v1::PREEMPTED));
  EXPECT_EQ(Job("job-1").state(), v1::PAUSED);
  feeder_.Apply(Paused("job-1", false));
  EXPECT_EQ(Job("job-1").state(), v1::RUNNING);
  EXPECT_EQ(Job("job-3").state(), v1::QUEUED);
}

TEST_F(QueuesTest, ATrialThatIsPausedAtItsRungIsNotDecidedAboutAndComesBackToIt) {
  v1::Event sweep = SubmittedSweep(1, 1);
  sweep.mutable_jobs_submitted()->mutable_jobs(1)->set_stop_at_step(10);
  feeder_.Apply(sweep);
  feeder_.Apply(Paused("job-2", true));
  feeder_.Apply(Paused("job-2", false));
  EXPECT_EQ(Job("job-2").state(), v1::QUEUED) << "it has not come to its rung";
  feeder_.Apply(Started("job-2", 1, "a"));
  feeder_.Apply(Checkpointed("job-2", 1, 10));
  feeder_.Apply(Ended("job-2", 1, v1::REACHED));
  feeder_.Apply(Paused("job-2", true));
  EXPECT_FALSE(WaitsAtRung(Job("job-2")));
  feeder_.Apply(Paused("job-2", false));
  EXPECT_TRUE(WaitsAtRung(Job("job-2")));
}

TEST_F(QueuesTest, PriorityAndLabelsOfAJobAndOfASweepsChildrenAreChanged) {
  v1::Event sweep = SubmittedSweep(1, 2);
  for (v1::Job& job : *sweep.mutable_jobs_submitted()->mutable_jobs())
    (*job.mutable_recipe()->mutable_labels())["team"] = "vision";
  (*sweep.mutable_jobs_submitted()->mutable_jobs(0)->mutable_labels())["team"] = "vision";
  feeder_.Apply(sweep);
  v1::Event priority = Change("job-1");
  priority.mutable_job_changed()->set_priority(7);
  feeder_.Apply(priority);
  feeder_.Apply(Labelled("job-1", "kind", "demo"));
  feeder_.Apply(Labelled("job-3", "team", ""));
  for (const char* id : {"job-1", "job-2", "job-3"}) {
    EXPECT_EQ(Job(id).priority(), 7);
    EXPECT_EQ(state_.LabelsOf(Job(id)).at("kind"), "demo");
    EXPECT_EQ(state_.LabelsOf(Job(id)).count("team"), id == std::string("job-3") ? 0U : 1U);
  }
  EXPECT_EQ(state_.CopyOf(Job("job-3")).labels().size(), 1U);
  feeder_.Apply(Labelled("job-1", "team", ""));
  EXPECT_EQ(state_.LabelsOf(Job("job-1")).count("team"), 0U);
  EXPECT_TRUE(absl::IsInvalidArgument(Check(Change("job-1"))));
  feeder_.Apply(Cancelled("job-1"));
  EXPECT_TRUE(absl::IsFailedPrecondition(Check(priority)));
}

TEST_F(QueuesTest, AnAttemptIsAskedToEndOnceAndItsJobSaysWhy) {
  feeder_.Apply(Submitted({MakeJob(1)}));
  EXPECT_FALSE(Check(AskedToEnd("job-1", 1, "makes room")).ok());
  feeder_.Apply(Started("job-1", 1, "a"));
  feeder_.Apply(AskedToEnd("job-1", 1, "makes room for job-9"));
  EXPECT_THAT(Job("job-1").reason(), HasSubstr("makes room for job-9"));
  EXPECT_TRUE(absl::IsFailedPrecondition(Check(AskedToEnd("job-1", 1, "again"))));
  feeder_.Apply(Ended("job-1", 1, v1::PREEMPTED));
  EXPECT_EQ(Job("job-1").state(), v1::QUEUED);
  EXPECT_THAT(Job("job-1").reason(), HasSubstr("makes room for job-9; waits to go on from step 0"));
}

TEST_F(QueuesTest, AUsedUpTimeLimitFailsTheJobAndRetryGivesItAsLongAgain) {
  v1::Job job = MakeJob(1);
  job.mutable_recipe()->mutable_resources()->set_time_limit(2);
  At(0, Submitted({job}));
  At(1, Started("job-1", 1, "a"));
  At(2, Ended("job-1", 1, v1::PREEMPTED));
  EXPECT_EQ(Job("job-1").state(), v1::QUEUED);
  At(10, Started("job-1", 2, "a"));
  At(11, Ended("job-1", 2, v1::PREEMPTED));
  EXPECT_EQ(Job("job-1").state(), v1::FAILED);
  EXPECT_EQ(Job("job-1").attempts(1).exit_reason(), v1::EXIT_TIME_LIMIT);
  EXPECT_THAT(Job("job-1").reason(), testing::AllOf(HasSubstr("of 2 hours"), HasSubstr("`ridgeline retry job-1`")));
  At(12, Retried("job-1"));
  At(12, Started("job-1", 3, "a"));
  At(13.5, Ended("job-1", 3, v1::PREEMPTED));
  EXPECT_EQ(Job("job-1").state(), v1::QUEUED);
  EXPECT_EQ(TimeUsedMs(Job("job-1"), kStartMs), 1.5 * kHourMs);
}

TEST_F(QueuesTest, LostGroupsAreForgottenAfterEnoughProgress) {
  v1::Job job = MakeJob(1, "run", 1, /*max_restarts=*/1);
  job.mutable_recipe()->mutable_recovery()->set_forget_after_steps(20);
  feeder_.Apply(Submitted({job}));
  feeder_.Apply(Started("job-1", 1, "a"));
  feeder_.Apply(Checkpointed("job-1", 1, 10));
  feeder_.Apply(Ended("job-1", 1, v1::LOST));
  feeder_.Apply(Started("job-1", 2, "a"));
  feeder_.Apply(Checkpointed("job-1", 2, 20));
  feeder_.Apply(Ended("job-1", 2, v1::PREEMPTED));
  feeder_.Apply(Started("job-1", 3, "a"));
  EXPECT_EQ(Job("job-1").restarts(), 1);
  feeder_.Apply(Checkpointed("job-1", 3, 30));
  EXPECT_EQ(Job("job-1").restarts(), 0) << "20 steps since the group was lost, whatever ended in between";
  EXPECT_EQ(Job("job-1").restarts_forgotten_step(), 30);
  feeder_.Apply(Ended("job-1", 3, v1::LOST));
  EXPECT_EQ(Job("job-1").state(), v1::QUEUED);
  feeder_.Apply(Started("job-1", 4, "a"));
  feeder_.Apply(Ended("job-1", 4, v1::LOST));
  EXPECT_EQ(Job("job-1").state(), v1::FAILED);
}

}  // namespace
}  // namespace ridgeline::test
