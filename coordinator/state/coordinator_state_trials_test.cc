// SPDX-License-Identifier: Apache-2.0
// Trials that wait at a rung, go on, or are stopped early.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/state/test_events.h"

namespace ridgeline::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class TrialsTest : public testing::Test {
 protected:
  // job-1 with trials job-2 and job-3, which wait at step 10 of 100.
  void SetUp() override {
    v1::Event sweep = SubmittedSweep(1, 2);
    for (int i = 1; i <= 2; ++i) sweep.mutable_jobs_submitted()->mutable_jobs(i)->set_stop_at_step(10);
    feeder_.Apply(sweep);
    for (const char* id : {"job-2", "job-3"}) {
      feeder_.Apply(Started(id, 1, std::string("g-") + id));
      feeder_.Apply(Ended(id, 1, v1::REACHED));
    }
  }
  void Decide(const std::string& job_id, int64_t stop_at_step) { feeder_.Apply(Decision(job_id, stop_at_step)); }
  static v1::Event Decision(const std::string& job_id, int64_t stop_at_step) {
    v1::Event event;
    auto& decision = *event.mutable_trials_decided()->add_decisions();
    decision.set_job_id(job_id);
    decision.set_stop_at_step(stop_at_step);
    decision.set_reason(stop_at_step > 0 ? "goes on" : "stopped early: 2 of 2");
    return event;
  }
  const v1::Job& Job(const std::string& id) const { return *state_.FindById(id); }

  CoordinatorState state_;
  Feeder feeder_{&state_};
};

TEST_F(TrialsTest, WaitAtTheirRungWithoutAGroup) {
  EXPECT_EQ(Job("job-2").state(), v1::PAUSED);
  EXPECT_THAT(Job("job-2").reason(), HasSubstr("waits at rung 1, step 10"));
  EXPECT_THAT(state_.TrialsAtRungs(), SizeIs(2));
  EXPECT_EQ(state_.JobOnGroup("g-job-2"), nullptr);
  EXPECT_EQ(Job("job-1").state(), v1::RUNNING);
}

TEST_F(TrialsTest, AnotherAttemptGoesOnToTheNextRungAndThenToTheEnd) {
  Decide("job-2", 30);
  EXPECT_EQ(Job("job-2").state(), v1::QUEUED);
  EXPECT_EQ(Job("job-2").stop_at_step(), 30);
  EXPECT_EQ(Job("job-2").restarts(), 0);
  feeder_.Apply(Started("job-2", 2, "g"));
  feeder_.Apply(Ended("job-2", 2, v1::REACHED));
  Decide("job-2", 100);
  EXPECT_EQ(Job("job-2").stop_at_step(), 0);
  EXPECT_EQ(Job("job-2").rung(), 2);
}

TEST_F(TrialsTest, ASweepWhoseOtherTrialsWereStoppedEarlyHasSucceeded) {
  Decide("job-3", 0);
  EXPECT_EQ(Job("job-3").state(), v1::CANCELLED);
  EXPECT_EQ(Job("job-3").reason(), "stopped early: 2 of 2");
  Decide("job-2", 100);
  feeder_.Apply(Started("job-2", 2, "g"));
  feeder_.Apply(Ended("job-2", 2, v1::COMPLETED));
  EXPECT_EQ(Job("job-1").state(), v1::SUCCEEDED);
  EXPECT_THAT(Job("job-1").reason(), HasSubstr("1 stopped early"));
}

TEST_F(TrialsTest, OneThatPeopleCancelIsNotStoppedEarly) {
  feeder_.Apply(Cancelled("job-3"));
  EXPECT_EQ(Job("job-3").state(), v1::CANCELLED);
  EXPECT_FALSE(WasStoppedEarly(Job("job-3")));
  EXPECT_FALSE(state_.Check(Decision("job-3", 30)).ok());
}

TEST_F(TrialsTest, RetryOfOneThatWasStoppedGoesToTheEnd) {
  Decide("job-3", 0);
  feeder_.Apply(Retried("job-3"));
  EXPECT_EQ(Job("job-3").state(), v1::QUEUED);
  EXPECT_EQ(Job("job-3").stop_at_step(), 0);
}

TEST_F(TrialsTest, NoDecisionIsTakenTwiceOrBackwards) {
  EXPECT_FALSE(state_.Check(Decision("job-2", 5)).ok());
  EXPECT_FALSE(state_.Check(Decision("job-9", 30)).ok());
  Decide("job-2", 30);
  EXPECT_FALSE(state_.Check(Decision("job-2", 30)).ok());
}

TEST_F(TrialsTest, ASnapshotKeepsThem) {
  absl::StatusOr<CoordinatorState> copy = CoordinatorState::FromSnapshot(SnapshotOf(state_));
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_THAT(copy->TrialsAtRungs(), SizeIs(2));
}

}  // namespace
}  // namespace ridgeline::test
