// SPDX-License-Identifier: Apache-2.0
#include "coordinator/scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/state/test_events.h"

namespace ridgeline {
namespace {

using test::Feeder, test::MakeJob, test::Submitted;
using testing::HasSubstr;

class SchedulerTest : public testing::Test {
 protected:
  void Submit(int ranks, int priority = 0) {
    v1::Job job = MakeJob(state_.next_job_number(), "run", ranks);
    job.set_priority(priority);
    feeder_.Apply(Submitted({job}));
  }
  // "job-1@a job-2@b"
  std::string Assigned(const std::vector<SchedulableGroup>& groups) {
    std::string text;
    for (const Assignment& assignment : MakeSchedule(state_, groups, now_unix_ms_).assignments) {
      text += (text.empty() ? "" : " ") + assignment.job_id + "@" + assignment.group_id;
    }
    return text;
  }

  int64_t now_unix_ms_ = 0;
  CoordinatorState state_;
  Feeder feeder_{&state_};
};

TEST_F(SchedulerTest, PriorityGoesBeforeAge) {
  Submit(1);
  Submit(1);
  Submit(1, /*priority=*/5);
  EXPECT_EQ(Assigned({{"a", 1, true}}), "job-3@a");
  EXPECT_EQ(Assigned({{"a", 1, true}, {"b", 1, true}}), "job-3@a job-1@b");
}

TEST_F(SchedulerTest, TakesTheSmallestGroupThatFits) {
  Submit(2);
  EXPECT_EQ(Assigned({{"huge", 8, true}, {"small", 1, true}, {"right", 2, true}}), "job-1@right");
  EXPECT_EQ(Assigned({{"huge", 8, true}, {"small", 1, true}, {"right", 2, false}}), "job-1@huge");
}

TEST_F(SchedulerTest, JobThatFitsNoGroupDoesNotBlockOthers) {
  Submit(4, /*priority=*/10);
  Submit(1);
  EXPECT_EQ(Assigned({{"a", 2, true}}), "job-2@a");
}

TEST_F(SchedulerTest, SaysWhyAJobWaits) {
  Submit(4);
  Submit(1);
  Submit(1);
  const Schedule schedule = MakeSchedule(state_, {{"a", 2, true}}, now_unix_ms_);
  EXPECT_EQ(schedule.wait_reasons.at("job-1"),
            "no worker group with 4 ranks is connected; `ridgeline worker list` shows the groups");
  EXPECT_THAT(schedule.wait_reasons.at("job-3"), HasSubstr("waits for one of 1 fitting worker group"));
  EXPECT_EQ(schedule.wait_reasons.count("job-2"), 0u);
}

TEST_F(SchedulerTest, ParentsAndRunningJobsAreNotScheduled) {
  feeder_.Apply(test::SubmittedSweep(1, 2));
  feeder_.Apply(test::Started("job-2", 1, "a"));
  EXPECT_EQ(Assigned({{"a", 2, false}, {"b", 2, true}, {"c", 2, true}}), "job-3@b");
}

TEST_F(SchedulerTest, AFullDiskHoldsBackJobAndGroupAndTellsWhy) {
  Submit(1);
  Submit(1);
  feeder_.Apply(test::Started("job-1", 1, "a"));
  feeder_.Apply(test::Ended("job-1", 1, v1::NO_ROOM));
  const v1::Job& job = *state_.FindById("job-1");
  now_unix_ms_ = job.not_before_unix_ms() - 1'500;
  EXPECT_EQ(Assigned({{"a", 1, true}}), "") << "the next job would find no room either";
  EXPECT_EQ(Assigned({{"a", 1, true}, {"b", 1, true}}), "job-2@b");
  const Schedule schedule = MakeSchedule(state_, {{"a", 1, true}}, now_unix_ms_);
  EXPECT_EQ(schedule.wait_reasons.at("job-1"), "it is tried again in 2 s");
  EXPECT_THAT(schedule.wait_reasons.at("job-2"), HasSubstr("no room on the disk of worker group 'a'"));
  now_unix_ms_ = job.not_before_unix_ms();
  EXPECT_EQ(Assigned({{"a", 1, true}}), "job-1@a");
  now_unix_ms_ -= 3'600'000;
  EXPECT_EQ(Assigned({{"a", 1, true}}), "job-1@a") << "a clock that jumps back holds up nobody";
}

}  // namespace
}  // namespace ridgeline
