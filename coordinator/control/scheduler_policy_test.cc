// SPDX-License-Identifier: Apache-2.0
// Queues, quotas, preemption, time limits: cases by hand, and what holds over random states and in simulated time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <set>

#include "coordinator/control/fit.h"
#include "coordinator/control/scheduler.h"
#include "coordinator/state/test_events.h"

namespace ridgeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kMinuteMs = 60'000, kHourMs = 60 * kMinuteMs;

struct Wish {
  int ranks = 1;
  int priority = 0;
  std::string queue = {};
  double time_limit_hours = 0;
};

// A coordinator without clock, network or disk: events at times that the test chooses.
class Cluster {
 public:
  explicit Cluster(std::vector<SchedulableGroup> groups) : groups_(std::move(groups)) {}

  void Apply(v1::Event event) {
    event.set_sequence(state.sequence() + 1);
    event.set_time_unix_ms(now_ms);
    ASSERT_TRUE(state.Check(event).ok()) << state.Check(event) << event.ShortDebugString();
    state.Apply(event);
  }
  std::string Submit(const Wish& wish) {
    v1::Job job = test::MakeJob(state.next_job_number(), "run", wish.ranks);
    job.set_priority(wish.priority);
    job.set_queue(wish.queue);
    job.mutable_recipe()->mutable_resources()->set_time_limit(wish.time_limit_hours);
    Apply(test::Submitted({job}));
    return job.id();
  }
  void End(const std::string& job_id, v1::AttemptOutcome outcome = v1::COMPLETED) {
    Apply(test::Ended(job_id, LiveAttempt(*state.FindById(job_id))->epoch(), outcome));
  }
  // One pass, carried out.
  const Decision& Pass() {
    FleetView view{groups_, remaining_seconds};
    for (SchedulableGroup& group : view.groups) group.idle = state.JobOnGroup(group.id) == nullptr;
    last = Decide(state, view, memory, now_ms);
    memory = last.memory;
    for (const Assignment& start : last.starts) Start(start.job_id, start.group_id);
    for (const Preemption& preemption : last.preemptions)
      Apply(test::AskedToEnd(preemption.job_id, preemption.epoch, preemption.reason));
    return last;
  }
  void Start(const std::string& job_id, const std::string& group_id) {
    v1::Event event = test::Started(job_id, NextEpoch(*state.FindById(job_id)), group_id);
    for (const SchedulableGroup& group : groups_)
      if (group.id == group_id) event.mutable_attempt_started()->set_ranks(group.ranks);
    Apply(event);
  }
  std::string Reason(const std::string& job_id) const { return Why(job_id).text(); }
  v1::WaitReason Why(const std::string& job_id) const { return WhyWaits(*last.board, state, job_id, now_ms); }
  std::vector<std::string> Started() const {
    std::vector<std::string> ids;
    for (const Assignment& start : last.starts) ids.push_back(start.job_id);
    return ids;
  }
  std::vector<std::string> Asked() const {
    std::vector<std::string> ids;
    for (const Preemption& preemption : last.preemptions) ids.push_back(preemption.job_id);
    return ids;
  }
  const v1::Job& Job(const std::string& id) const { return *state.FindById(id); }
  int RanksOf(const std::string& queue) const {
    int ranks = 0;
    for (const v1::Job* job : state.RunningJobs())
      if (QueueOf(*job) == queue) ranks += LiveAttempt(*job)->ranks();
    return ranks;
  }

  int64_t now_ms = 1'700'000'000'000;
  CoordinatorState state;
  SchedulerMemory memory;
  std::map<std::string, double> remaining_seconds;
  Decision last;

 private:
  std::vector<SchedulableGroup> groups_;
};

std::vector<SchedulableGroup> GroupsOf(std::initializer_list<int> ranks) {
  std::vector<SchedulableGroup> groups;
  for (const int count : ranks) groups.push_back({std::string(1, static_cast<char>('a' + groups.size())), count, true});
  return groups;
}

TEST(SchedulerPolicyTest, QueuesGetRanksByTheirWeights) {
  Cluster cluster(GroupsOf({1, 1, 1, 1}));
  cluster.Apply(test::QueueSetTo("large", 3));
  for (int i = 0; i < 6; ++i) cluster.Submit({});
  for (int i = 0; i < 6; ++i) cluster.Submit({.queue = "large"});
  cluster.Pass();
  EXPECT_EQ(cluster.RanksOf("large"), 3);
  EXPECT_EQ(cluster.RanksOf("default"), 1);
}

TEST(SchedulerPolicyTest, AQueueAloneGetsAllThereIs) {
  Cluster cluster(GroupsOf({1, 1, 1}));
  cluster.Apply(test::QueueSetTo("large", 9));
  for (int i = 0; i < 3; ++i) cluster.Submit({});
  EXPECT_THAT(cluster.Pass().starts, SizeIs(3));
}

TEST(SchedulerPolicyTest, AmongEqualsTheQueueThatHadLessLatelyGoesFirst) {
  Cluster cluster(GroupsOf({2}));
  cluster.Apply(test::QueueSetTo("z", 1));
  cluster.End((cluster.Submit({}), cluster.Pass(), cluster.now_ms += kHourMs, "job-1"));
  cluster.Submit({});
  const std::string other = cluster.Submit({.queue = "z"});
  cluster.Pass();
  EXPECT_THAT(cluster.Started(), ElementsAre(other));
}

TEST(SchedulerPolicyTest, MaxRanksIsNeverExceededAndTheReasonSaysSo) {
  Cluster cluster(GroupsOf({2, 2, 8}));
  cluster.Apply(test::QueueSetTo("small", 1, /*max_ranks=*/4));
  for (int i = 0; i < 3; ++i) cluster.Submit({.queue = "small"});
  const std::string large = cluster.Submit({.ranks = 8, .queue = "small"});
  cluster.Pass();
  EXPECT_EQ(cluster.RanksOf("small"), 4);
  EXPECT_THAT(cluster.Reason("job-3"), HasSubstr("queue 'small' uses 4 of its 4 ranks (max_ranks)"));
  EXPECT_THAT(cluster.Reason(large), HasSubstr("has 8 ranks, and queue 'small' may use 4"));
}

TEST(SchedulerPolicyTest, UsedUpRankHoursHoldAQueueBackUntilTheirPeriodIsOver) {
  Cluster cluster(GroupsOf({2}));
  cluster.Apply(test::QueueSetTo("q", 1, 0, /*max_rank_hours=*/4, /*period_hours=*/10));
  cluster.Submit({.queue = "q"});
  cluster.Pass();
  cluster.now_ms += 2 * kHourMs;
  cluster.End("job-1");
  cluster.Submit({.queue = "q"});
  EXPECT_THAT(cluster.Pass().starts, IsEmpty());
  EXPECT_THAT(cluster.Reason("job-2"), HasSubstr("has used 4.0 of its 4 rank-hours (max_rank_hours) of the last 10"));
  EXPECT_GT(cluster.last.next_due_unix_ms, cluster.now_ms);
  cluster.now_ms += 9 * kHourMs;
  cluster.Pass();
  EXPECT_THAT(cluster.Started(), ElementsAre("job-2"));
}

TEST(SchedulerPolicyTest, ADrainingGroupGetsNothingAndWhoFitsNoOtherLearnsSo) {
  Cluster cluster(GroupsOf({2, 8}));
  cluster.Apply(test::Drained("b", true));
  cluster.Submit({.ranks = 8});
  cluster.Submit({});
  cluster.Pass();
  EXPECT_THAT(cluster.Started(), ElementsAre("job-2"));
  EXPECT_THAT(cluster.Reason("job-1"), HasSubstr("`ridgeline worker drain --undo b`"));
  cluster.Apply(test::Drained("b", false));
  cluster.Pass();
  EXPECT_THAT(cluster.Started(), ElementsAre("job-1"));
}

TEST(SchedulerPolicyTest, AJobGetsAGroupThatHasItsLabels) {
  Cluster cluster({{"a", 1, true, "", 0, {{"zone", "north"}}}, {"b", 1, true, "", 0, {{"zone", "south"}}}});
  for (const char* zone : {"south", "west"}) {
    v1::Job job = test::MakeJob(cluster.state.next_job_number());
    (*job.mutable_recipe()->mutable_resources()->mutable_labels())["zone"] = zone;
    cluster.Apply(test::Submitted({job}));
  }
  ASSERT_THAT(cluster.Pass().starts, SizeIs(1));
  EXPECT_EQ(cluster.last.starts[0].group_id, "b");
  EXPECT_THAT(cluster.Reason("job-2"), HasSubstr("the labels zone=west"));
}

TEST(SchedulerPolicyTest, ASweepRunsNoMoreThanItsMaxConcurrent) {
  Cluster cluster(GroupsOf({1, 1, 1, 1}));
  v1::Event sweep = test::SubmittedSweep(1, 4);
  sweep.mutable_jobs_submitted()->mutable_jobs(0)->mutable_recipe()->mutable_sweep()->set_max_concurrent(2);
  cluster.Apply(sweep);
  cluster.Submit({});
  cluster.Pass();
  EXPECT_THAT(cluster.Started(), ElementsAre("job-2", "job-3", "job-6"));
  EXPECT_EQ(cluster.Reason("job-4"), "2 jobs of job-1 run, as many as its sweep.max_concurrent allows");
  cluster.End("job-2");
  cluster.Pass();
  EXPECT_THAT(cluster.Started(), ElementsAre("job-4"));
}

TEST(SchedulerPolicyTest, WhoWaitsLearnsWhoIsAheadAndWhenItShouldStart) {
  Cluster cluster(GroupsOf({1}));
  for (int i = 0; i < 4; ++i) cluster.Submit({.time_limit_hours = 1});
  const std::string urgent = cluster.Submit({.priority = 5});
  cluster.Start("job-1", "a");
  cluster.now_ms += 30 * kMinuteMs;
  cluster.last = Decide(cluster.state, {GroupsOf({1}), {}}, {}, cluster.now_ms);
  EXPECT_THAT(cluster.Why("job-3").ahead(), ElementsAre(urgent, "job-2"));
  EXPECT_EQ(cluster.Why("job-3").ahead_count(), 2);
  EXPECT_EQ(cluster.Why(urgent).expected_start_unix_ms(), cluster.now_ms + 30 * kMinuteMs);
  EXPECT_EQ(cluster.Why("job-2").expected_start_unix_ms(), 0) << "the one before it has no time limit";
  const FleetView estimated{GroupsOf({1}), {{"job-1", 60.0}}};
  cluster.last = Decide(cluster.state, estimated, {}, cluster.now_ms);
  EXPECT_EQ(cluster.Why(urgent).expected_start_unix_ms(), cluster.now_ms + 60'000);
  EXPECT_TRUE(cluster.Why(urgent).is_expected_by_estimates());
}

TEST(SchedulerPolicyTest, AJobOfMorePriorityAsksTheOneThatLosesLeastToMakeRoomAndGetsItsGroup) {
  Cluster cluster(GroupsOf({2, 2}));
  cluster.Submit({});
  cluster.Submit({});
  cluster.Pass();
  cluster.now_ms += kHourMs;
  v1::Event checkpoint = test::Checkpointed("job-2", 1, 50);
  checkpoint.mutable_checkpoint_recorded()->mutable_checkpoint()->set_time_unix_ms(cluster.now_ms - kMinuteMs);
  cluster.Apply(checkpoint);
  const std::string urgent = cluster.Submit({.priority = 1});
  cluster.Pass();
  EXPECT_THAT(cluster.Asked(), ElementsAre("job-2"));
  EXPECT_THAT(cluster.Reason(urgent), HasSubstr("is being made free for it"));
  EXPECT_THAT(cluster.last.preemptions[0].reason, HasSubstr("makes room for " + urgent));
  cluster.Pass();
  EXPECT_THAT(cluster.Asked(), IsEmpty()) << "one is enough";
  cluster.End("job-2", v1::PREEMPTED);
  cluster.Pass();
  EXPECT_THAT(cluster.Started(), ElementsAre(urgent));
  cluster.Pass();
  EXPECT_THAT(cluster.Asked(), IsEmpty()) << "nobody is asked back";
}

TEST(SchedulerPolicyTest, EqualPriorityAsksNobodyAndAnotherQueueOnlyWhereThatHasMoreThanItsShare) {
  Cluster cluster(GroupsOf({2, 2}));
  cluster.Apply(test::QueueSetTo("other", 1));
  cluster.Submit({});
  cluster.Submit({.queue = "other"});
  cluster.Pass();
  cluster.Submit({});
  cluster.Submit({.priority = 5, .queue = "other"});
  cluster.Pass();
  EXPECT_THAT(cluster.Asked(), ElementsAre("job-2")) << "of its own queue: both have their share";

  Cluster uneven(GroupsOf({2, 2}));
  uneven.Apply(test::QueueSetTo("other", 1));
  uneven.Submit({});
  uneven.Submit({});
  uneven.Pass();
  uneven.Submit({.queue = "other"});
  uneven.Pass();
  EXPECT_THAT(uneven.Asked(), IsEmpty()) << "of no more priority";
  uneven.Submit({.priority = 1, .queue = "other"});
  uneven.Pass();
  EXPECT_THAT(uneven.Asked(), SizeIs(1));
}

TEST(SchedulerPolicyTest, AGroupThatWasMadeFreeIsNotTakenByAnotherQueue) {
  Cluster cluster(GroupsOf({1, 1}));
  cluster.Apply(test::QueueSetTo("other", 1));
  cluster.Submit({});
  cluster.Submit({});
  cluster.Pass();
  const std::string urgent = cluster.Submit({.priority = 3});
  cluster.Pass();
  ASSERT_THAT(cluster.Asked(), SizeIs(1));
  cluster.Submit({.queue = "other"});  // It has less usage, and would go first.
  cluster.End(cluster.Asked()[0], v1::PREEMPTED);
  cluster.Pass();
  EXPECT_THAT(cluster.Started(), ElementsAre(urgent));
}

TEST(SchedulerPolicyTest, AGroupThatWasMadeFreeGoesToWhoHasMorePriorityByThen) {
  Cluster cluster(GroupsOf({1}));
  const std::string patient = cluster.Submit({});
  cluster.Pass();
  cluster.Submit({.priority = 3});
  cluster.Pass();
  ASSERT_THAT(cluster.Asked(), ElementsAre(patient));
  const std::string first = cluster.Submit({.priority = 4});
  cluster.End(patient, v1::PREEMPTED);
  cluster.Pass();
  EXPECT_THAT(cluster.Started(), ElementsAre(first));
}

TEST(SchedulerPolicyTest, AJobMakesRoomOnlySoOftenAndRestsAfterIt) {
  Cluster cluster(GroupsOf({1}));
  const std::string patient = cluster.Submit({});
  for (int round = 0; round < kMaxPreemptionsPerHour; ++round) {
    cluster.Pass();
    ASSERT_EQ(cluster.Job(patient).state(), v1::RUNNING);
    cluster.now_ms += kMinuteMs;
    const std::string urgent = cluster.Submit({.priority = 9});
    cluster.Pass();
    ASSERT_THAT(cluster.Asked(), ElementsAre(patient));
    cluster.End(patient, v1::PREEMPTED);
    cluster.Pass();
    ASSERT_THAT(cluster.Started(), ElementsAre(urgent));
    cluster.End(urgent);
  }
  cluster.Pass();
  cluster.Submit({.priority = 9});
  cluster.Pass();
  EXPECT_THAT(cluster.Asked(), IsEmpty());
  cluster.now_ms += kHourMs;
  cluster.Pass();
  EXPECT_THAT(cluster.Asked(), ElementsAre(patient));
}

TEST(SchedulerPolicyTest, AnAttemptIsAskedToEndWhenItsTimeIsUsedUp) {
  Cluster cluster(GroupsOf({1}));
  cluster.Submit({.time_limit_hours = 2});
  cluster.Pass();
  cluster.now_ms += kHourMs;
  EXPECT_THAT(cluster.Pass().preemptions, IsEmpty());
  EXPECT_EQ(cluster.last.next_due_unix_ms, cluster.now_ms + kHourMs);
  cluster.now_ms += kHourMs;
  ASSERT_THAT(cluster.Pass().preemptions, SizeIs(1));
  EXPECT_THAT(cluster.last.preemptions[0].reason, HasSubstr("resources.time_limit of 2 hours"));
  EXPECT_THAT(cluster.Pass().preemptions, IsEmpty()) << "once";
  cluster.End("job-1", v1::PREEMPTED);
  EXPECT_EQ(cluster.Job("job-1").state(), v1::FAILED);
}

// Behind a job that waits for ranks of its queue, only who ends before they are there may start.
TEST(SchedulerPolicyTest, WhoEndsInTimeFillsTheGapBeforeALargeJob) {
  Cluster cluster(GroupsOf({2, 2, 4}));
  cluster.Apply(test::QueueSetTo("q", 1, /*max_ranks=*/5));
  cluster.Submit({.ranks = 2, .queue = "q", .time_limit_hours = 3});
  cluster.Pass();
  const std::string large = cluster.Submit({.ranks = 4, .queue = "q"});
  const std::string slow = cluster.Submit({.ranks = 2, .queue = "q", .time_limit_hours = 4});
  const std::string quick = cluster.Submit({.ranks = 2, .queue = "q", .time_limit_hours = 2});
  cluster.Pass();
  EXPECT_THAT(cluster.Started(), ElementsAre(quick));
  EXPECT_THAT(cluster.Reason(slow), HasSubstr("kept for " + large));
  EXPECT_EQ(cluster.Why(large).expected_start_unix_ms(), cluster.now_ms + 3 * kHourMs);
}

std::vector<SchedulableGroup> RandomGroups(std::mt19937& random) {
  std::vector<SchedulableGroup> groups;
  for (int i = static_cast<int>(1 + random() % 8); i > 0; --i)
    groups.push_back({"group-" + std::to_string(i), static_cast<int>(1 + random() % 8), true});
  return groups;
}

Wish RandomWish(std::mt19937& random) {
  return {.ranks = static_cast<int>(1 + random() % 8),
          .priority = static_cast<int>(random() % 4),
          .queue = std::array{"", "x", "y"}[random() % 3],
          .time_limit_hours = random() % 3 == 0 ? static_cast<double>(1 + random() % 5) : 0};
}

void SetRandomQueues(Cluster* cluster, std::mt19937& random) {
  for (const char* name : {"default", "x", "y"}) {
    const int max_ranks = random() % 2 == 0 ? 0 : static_cast<int>(1 + random() % 12);
    const double max_hours = random() % 3 == 0 ? static_cast<double>(1 + random() % 20) : 0;
    cluster->Apply(test::QueueSetTo(name, static_cast<double>(1 + random() % 3), max_ranks, max_hours));
  }
}

// What must hold of every decision, whatever the state.
void CheckDecision(const Cluster& before, const std::vector<SchedulableGroup>& groups, const Decision& decision) {
  std::map<std::string, SchedulableGroup> free;
  for (const SchedulableGroup& group : groups)
    if (before.state.JobOnGroup(group.id) == nullptr) free[group.id] = group;
  std::map<std::string, int> ranks;
  for (const auto& [name, queue] : before.state.queues()) ranks[name] = before.RanksOf(name);
  std::set<std::string> started;
  for (const Assignment& start : decision.starts) {
    const v1::Job& job = before.Job(start.job_id);
    ASSERT_EQ(job.state(), v1::QUEUED);
    ASSERT_TRUE(started.insert(start.job_id).second);
    ASSERT_EQ(free.count(start.group_id), 1U) << start.group_id << " is busy, or was given twice";
    ASSERT_TRUE(Fits(free.at(start.group_id), job.recipe().resources()));
    ASSERT_EQ(before.state.draining_groups().count(start.group_id), 0U);
    const v1::Queue& queue = before.state.queues().at(QueueOf(job));
    ranks[queue.name()] += free.at(start.group_id).ranks;
    if (queue.max_ranks() > 0) ASSERT_LE(ranks[queue.name()], queue.max_ranks());
    if (queue.max_rank_hours() > 0)
      ASSERT_LT(before.state.RankHours(queue.name(), 24, before.now_ms), queue.max_rank_hours());
    free.erase(start.group_id);
  }
  // In one queue, who waits fits no group that somebody of less priority got.
  for (const WaitBoard::Waiting& waiting : decision.board->waiting) {
    const v1::Job& job = *before.state.FindById(JobId(waiting.number));
    if (waiting.kind != WaitKind::kGroupBusy) continue;
    for (const Assignment& start : decision.starts) {
      const v1::Job& other = before.Job(start.job_id);
      if (QueueOf(other) != QueueOf(job) || other.priority() >= job.priority()) continue;
      for (const SchedulableGroup& group : groups)
        if (group.id == start.group_id)
          EXPECT_FALSE(Fits(group, job.recipe().resources())) << job.id() << " waits behind " << other.id();
    }
  }
  for (const Preemption& preemption : decision.preemptions) {
    const v1::Attempt* live = LiveAttempt(before.Job(preemption.job_id));
    ASSERT_NE(live, nullptr);
    EXPECT_EQ(live->preempt_reason(), "") << "asked before";
    EXPECT_EQ(live->epoch(), preemption.epoch);
  }
}

std::string TextOf(const Decision& decision) {
  std::string text;
  for (const Assignment& start : decision.starts) text += start.job_id + "@" + start.group_id + " ";
  for (const Preemption& preemption : decision.preemptions) text += "!" + preemption.job_id + " ";
  for (const WaitBoard::Waiting& waiting : decision.board->waiting)
    text += std::to_string(waiting.number) + ":" + std::to_string(static_cast<int>(waiting.kind)) + " ";
  return text;
}

class RandomStates : public testing::TestWithParam<uint32_t> {};

TEST_P(RandomStates, EveryDecisionKeepsTheRulesAndIsTheSameForTheSameState) {
  std::mt19937 random(GetParam());
  const std::vector<SchedulableGroup> groups = RandomGroups(random);
  Cluster cluster(groups);
  SetRandomQueues(&cluster, random);
  int starts = 0;
  for (int round = 0; round < 60; ++round) {
    for (int i = static_cast<int>(random() % 4); i > 0; --i) cluster.Submit(RandomWish(random));
    if (random() % 5 == 0) cluster.Apply(test::Drained(groups[random() % groups.size()].id, random() % 2 == 0));
    for (const v1::Job* job : cluster.state.RunningJobs()) {
      const bool asked = !LiveAttempt(*job)->preempt_reason().empty();
      const std::string id = job->id();
      if (asked && random() % 2 == 0)
        cluster.End(id, v1::PREEMPTED);
      else if (random() % 6 == 0)
        cluster.End(id, random() % 8 == 0 ? v1::LOST : v1::COMPLETED);
    }
    cluster.now_ms += static_cast<int64_t>(random() % (20 * kMinuteMs));
    const Cluster before = cluster;
    cluster.Pass();
    ASSERT_NO_FATAL_FAILURE(CheckDecision(before, groups, cluster.last));
    starts += static_cast<int>(cluster.last.starts.size());
    FleetView shuffled{groups, {}};
    for (SchedulableGroup& group : shuffled.groups) group.idle = before.state.JobOnGroup(group.id) == nullptr;
    std::shuffle(shuffled.groups.begin(), shuffled.groups.end(), random);
    EXPECT_EQ(TextOf(Decide(before.state, shuffled, before.memory, before.now_ms)), TextOf(cluster.last));
  }
  EXPECT_GT(starts, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomStates, testing::Range(1U, 41U));

// Jobs of a minute come without end from a queue that has less than its share, and always find the one large group
// first; the large job of the other queue starts all the same.
TEST(SchedulerPolicyTest, ALargeJobStartsInBoundedTimeUnderAStreamOfSmallOnes) {
  Cluster cluster(GroupsOf({1, 1, 8}));
  cluster.Apply(test::QueueSetTo("stream", 1));
  // Two long jobs of the default queue have the small groups; the stream begins on the large one.
  for (int i = 0; i < 2; ++i) cluster.Submit({});
  cluster.Pass();
  cluster.Submit({.queue = "stream"});
  cluster.Pass();
  const std::string large = cluster.Submit({.ranks = 8});
  int small_ones = 0;
  const int64_t start_ms = cluster.now_ms;
  while (cluster.Job(large).state() == v1::QUEUED && cluster.now_ms - start_ms < 3 * kHourMs) {
    cluster.now_ms += 10'000;
    for (const v1::Job* job : cluster.state.RunningJobs()) {
      if (QueueOf(*job) != "stream") continue;
      const int64_t ran_ms = cluster.now_ms - LiveAttempt(*job)->start_unix_ms();
      const std::string id = job->id();
      if (ran_ms < kMinuteMs) continue;
      cluster.End(id);
      ++small_ones;
    }
    if (cluster.state.QueuedJobs().size() < 4) cluster.Submit({.queue = "stream"});
    cluster.Pass();
  }
  EXPECT_EQ(cluster.Job(large).state(), v1::RUNNING);
  EXPECT_LE(cluster.now_ms - start_ms, kHeadPatienceMs + 2 * kMinuteMs);
  EXPECT_GT(small_ones, 3) << "the stream did not hold it up; this tests nothing";
}

int64_t Waiting(const Cluster& cluster, const std::string& queue) {
  const std::vector<const v1::Job*> queued = cluster.state.QueuedJobs();
  return std::count_if(queued.begin(), queued.end(), [&](const v1::Job* job) { return job->queue() == queue; });
}

TEST(SchedulerPolicyTest, SharesOfBusyQueuesComeToTheirWeights) {
  Cluster cluster(GroupsOf({1, 1, 2, 2}));
  cluster.Apply(test::QueueSetTo("x", 2));
  std::mt19937 random(5);
  for (int round = 0; round < 4'000; ++round) {
    cluster.now_ms += kMinuteMs;
    for (const v1::Job* job : cluster.state.RunningJobs()) {
      const std::string id = job->id();
      if (random() % 20 == 0) cluster.End(id);
    }
    for (const char* queue : {"", "x"}) {
      while (Waiting(cluster, queue) < 5) cluster.Submit({.ranks = static_cast<int>(1 + random() % 2), .queue = queue});
    }
    cluster.Pass();
  }
  const double x = cluster.state.RankHours("x", 60, cluster.now_ms);
  const double rest = cluster.state.RankHours("default", 60, cluster.now_ms);
  EXPECT_NEAR(x / (x + rest), 2.0 / 3, 0.05);
}

}  // namespace
}  // namespace ridgeline
