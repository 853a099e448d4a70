// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/queue_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ridgeline {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(QueueTextTest, ATableShowsUseBesideItsLimit) {
  v1::ListQueuesResponse queues;
  v1::Queue& large = *queues.add_queues();
  large.set_name("large");
  large.set_weight(2.5);
  large.set_fair_share(0.25);
  large.set_running_ranks(8);
  large.set_max_ranks(64);
  large.set_used_rank_hours(12.34);
  large.set_period_hours(24);
  EXPECT_THAT(QueueTable(queues, Style()), ContainsRegex("large +2.5 +25% +0 +0 +8/64 +12.3 +24 h"));
}

TEST(QueueTextTest, WhyNamesWhoIsAheadAndWhenItShouldStart) {
  v1::Job job;
  job.set_id("job-9");
  job.set_state(v1::QUEUED);
  job.set_reason("waits for one of 2 fitting worker groups");
  job.mutable_wait()->set_ahead_count(3);
  job.mutable_wait()->add_ahead("job-7");
  job.mutable_wait()->add_ahead("job-8");
  EXPECT_THAT(WhyText(job, 0), HasSubstr("job-9 is queued: waits for one of 2"));
  EXPECT_THAT(WhyText(job, 0), HasSubstr("job-7 job-8 and 1 more"));
  EXPECT_THAT(WhyText(job, 0), HasSubstr("nobody can say"));
  job.mutable_wait()->set_expected_start_unix_ms(90'000);
  EXPECT_THAT(WhyText(job, 30'000), HasSubstr("or earlier"));
  EXPECT_THAT(WhyText(job, 30'000), Not(HasSubstr("nobody")));
  job.mutable_wait()->set_is_expected_by_estimates(true);
  EXPECT_THAT(WhyText(job, 30'000), HasSubstr("estimated"));
}

TEST(QueueTextTest, WhyOfAJobThatRunsIsItsReason) {
  v1::Job job;
  job.set_id("job-9");
  job.set_state(v1::RUNNING);
  job.set_reason("runs on group 'a'");
  EXPECT_EQ(WhyText(job, 0), "job-9 is running: runs on group 'a'\n");
}

}  // namespace
}  // namespace ridgeline
