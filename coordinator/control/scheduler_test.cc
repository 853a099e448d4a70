// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>

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
  void SubmitFor(const std::string& device, double memory_gib, int ranks = 1) {
    v1::Job job = MakeJob(state_.next_job_number(), "run", ranks);
    job.mutable_recipe()->mutable_resources()->set_device(device);
    job.mutable_recipe()->mutable_resources()->set_memory(memory_gib);
    feeder_.Apply(Submitted({job}));
  }
  std::string Reason(const std::string& job_id, const std::vector<SchedulableGroup>& groups) {
    const Decision decision = Decide(groups);
    return WhyWaits(*decision.board, state_, job_id, now_unix_ms_).text();
  }
  Decision Decide(const std::vector<SchedulableGroup>& groups) {
    return ridgeline::Decide(state_, {groups, {}}, {}, now_unix_ms_);
  }
  // "job-1@a job-2@b"
  std::string Assigned(const std::vector<SchedulableGroup>& groups) {
    std::string text;
    for (const Assignment& assignment : Decide(groups).starts) {
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
  const std::vector<SchedulableGroup> groups{{"a", 2, true}};
  EXPECT_EQ(Reason("job-1", groups),
            "no worker group with 4 ranks is connected; `ridgeline worker list` shows the groups");
  EXPECT_THAT(Reason("job-3", groups), HasSubstr("waits for one of 1 fitting worker group"));
  EXPECT_EQ(Reason("job-2", groups), "") << "it starts";
}

constexpr int64_t kGiB = int64_t{1} << 30;

TEST_F(SchedulerTest, AJobGetsTheDeviceAndTheMemoryOfARankThatItAsksFor) {
  SubmitFor("cuda", 80);
  EXPECT_EQ(Assigned({{"c", 1, true, "cpu", 500 * kGiB}, {"g", 1, true, "cuda", 79 * kGiB}}), "");
  EXPECT_EQ(Assigned({{"c", 1, true, "cpu", 500 * kGiB}, {"g", 4, true, "cuda", 80 * kGiB}}), "job-1@g");
  SubmitFor("cpu", 0);
  SubmitFor("any", 80);
  EXPECT_EQ(Assigned({{"g", 1, true, "cuda", 139 * kGiB}, {"c", 1, true, "cpu", 0}}), "job-1@g job-2@c");
  EXPECT_EQ(Assigned({{"g", 1, true, "cuda", 79 * kGiB}, {"c", 1, true, "cpu", 81 * kGiB}}), "job-2@c");
  EXPECT_EQ(Assigned({{"unknown", 1, true, "", 0}}), "") << "a group that does not say what it has";
}

TEST_F(SchedulerTest, AJobOfAnOlderStoreAsksForNoDeviceAndNoMemory) {
  Submit(1);
  EXPECT_EQ(Assigned({{"unknown", 1, true, "", 0}}), "job-1@unknown");
  EXPECT_EQ(Assigned({{"g", 1, true, "cuda", kGiB}}), "job-1@g");
}

TEST_F(SchedulerTest, WhereNothingConnectedFitsTheReasonNamesWhatIsMissing) {
  SubmitFor("cuda", 0);
  SubmitFor("cpu", 0);
  SubmitFor("cuda", 96.5, /*ranks=*/2);
  const std::string hint = "; `ridgeline worker list` shows the groups";
  EXPECT_EQ(Reason("job-1", {{"a", 1, false, "cpu", kGiB}, {"b", 9, false, "cpu", kGiB}}),
            "no group has GPUs: 2 groups of cpu are connected" + hint);
  EXPECT_EQ(Reason("job-1", {{"a", 1, false, "", 0}, {"b", 1, false, "cpu", kGiB}}),
            "no group has GPUs: 1 group of cpu, 1 group of unknown devices are connected" + hint);
  EXPECT_EQ(Reason("job-2", {{"a", 1, false, "cuda", kGiB}}),
            "no group computes on CPUs: 1 group of cuda is connected" + hint);
  EXPECT_EQ(Reason("job-3", {{"a", 1, false, "cuda", 200 * kGiB}, {"b", 8, false, "cpu", 200 * kGiB}}),
            "no worker group with 2 ranks of cuda is connected" + hint);
  EXPECT_EQ(Reason("job-3", {{"a", 1, false, "cuda", 200 * kGiB}, {"b", 2, false, "cuda", 80 * kGiB}}),
            "no worker group with 2 ranks of cuda has 96.5 GiB for each: the most is 80 GiB, in group 'b'" + hint);
  EXPECT_EQ(Reason("job-3", {}), "no worker group with 2 ranks of cuda is connected" + hint);
  EXPECT_THAT(Reason("job-3", {{"a", 2, false, "cuda", 97 * kGiB}}), HasSubstr("waits for one of 1 fitting"));
}

bool FitsByHand(const SchedulableGroup& group, const v1::Resources& wanted) {
  if (group.ranks < wanted.ranks()) return false;
  if (wanted.device() != "any" && wanted.device() != group.device) return false;
  return group.rank_memory_bytes >= static_cast<int64_t>(wanted.memory()) * kGiB;
}

std::vector<SchedulableGroup> RandomGroups(std::mt19937& random) {
  std::vector<SchedulableGroup> groups;
  for (int i = static_cast<int>(random() % 6); i > 0; --i)
    groups.push_back({"group-" + std::to_string(i), static_cast<int>(1 + random() % 4), random() % 3 > 0,
                      std::array{"cpu", "cuda", ""}[random() % 3], static_cast<int64_t>(random() % 4) * kGiB});
  return groups;
}

// Whatever is asked for and connected: jobs get groups that fit, one each; who gets none could have none of those left,
// and learns why.
TEST_F(SchedulerTest, EveryAssignmentFitsAndNoFittingGroupIsLeftIdle) {
  std::mt19937 random(11);
  int assigned = 0, waiting_for_none = 0;
  for (int round = 0; round < 500; ++round) {
    state_ = CoordinatorState();
    for (int i = static_cast<int>(random() % 6); i > 0; --i)
      SubmitFor(std::array{"any", "cpu", "cuda"}[random() % 3], static_cast<double>(random() % 4),
                static_cast<int>(1 + random() % 4));
    const std::vector<SchedulableGroup> groups = RandomGroups(random);
    const Decision decision = Decide(groups);
    std::map<std::string, SchedulableGroup> idle;
    for (const SchedulableGroup& group : groups)
      if (group.idle) idle[group.id] = group;
    for (const Assignment& assignment : decision.starts) {
      ASSERT_EQ(idle.count(assignment.group_id), 1U) << "given twice, or not idle";
      const v1::Job& job = *state_.FindById(assignment.job_id);
      EXPECT_TRUE(FitsByHand(idle.at(assignment.group_id), job.recipe().resources()));
      idle.erase(assignment.group_id);
      ++assigned;
    }
    EXPECT_EQ(decision.starts.size() + decision.board->waiting.size(), state_.QueuedJobs().size());
    for (const WaitBoard::Waiting& waiting : decision.board->waiting) {
      const std::string job_id = JobId(waiting.number);
      const std::string reason = WhyWaits(*decision.board, state_, job_id, now_unix_ms_).text();
      const v1::Resources& wanted = state_.FindById(job_id)->recipe().resources();
      for (const auto& [id, group] : idle) EXPECT_FALSE(FitsByHand(group, wanted)) << job_id << " could have " << id;
      const bool fits_none =
          std::none_of(groups.begin(), groups.end(), [&](const auto& group) { return FitsByHand(group, wanted); });
      EXPECT_EQ(reason.find("waits for one of") == std::string::npos, fits_none) << reason;
      waiting_for_none += fits_none;
    }
  }
  EXPECT_GT(assigned, 200);
  EXPECT_GT(waiting_for_none, 200);
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
  EXPECT_EQ(Reason("job-1", {{"a", 1, true}}), "it is tried again in 2 s");
  EXPECT_THAT(Reason("job-2", {{"a", 1, true}}), HasSubstr("no room on the disk of worker group 'a'"));
  now_unix_ms_ = job.not_before_unix_ms();
  EXPECT_EQ(Assigned({{"a", 1, true}}), "job-1@a");
  now_unix_ms_ -= 3'600'000;
  EXPECT_EQ(Assigned({{"a", 1, true}}), "job-1@a") << "a clock that jumps back holds up nobody";
}

}  // namespace
}  // namespace ridgeline
