// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/job_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/shared/follow.h"

namespace ridgeline {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr Style kPlain{};

v1::Job MakeJob(const std::string& id, v1::JobState state) {
  v1::Job job;
  job.set_id(id);
  job.set_name("ridge");
  job.set_state(state);
  return job;
}

v1::Job RunningJob(const std::string& id, int64_t step) {
  v1::Job job = MakeJob(id, v1::RUNNING);
  v1::Progress* progress = job.mutable_progress();
  progress->set_step(step);
  progress->set_steps(500);
  progress->set_train_loss(2.5);
  progress->set_validation_loss(2.6);
  progress->set_tokens_per_second(18'234);
  progress->set_eta_seconds(42);
  progress->set_phase("training");
  return job;
}

TEST(JobLine, TellsWhereARunningJobStands) {
  EXPECT_EQ(
      JobLine(RunningJob("job-3", 250), 6, kPlain),
      "job-3   ridge   running    [############------------]  250/500  loss 2.5000  val 2.6000  18.2k tok/s  ETA 0:42");
}

TEST(JobLine, TellsWhatShareOfItsGpusPeakAJobReaches) {
  v1::Job job = RunningJob("job-3", 250);
  job.mutable_progress()->set_peak_ratio(0.414);
  EXPECT_NE(JobLine(job, 6, kPlain).find("18.2k tok/s  41% of peak  ETA 0:42"), std::string::npos);
}

TEST(JobLine, TellsHowTheSecondTextFares) {
  v1::Job job = RunningJob("job-3", 250);
  job.mutable_progress()->set_second_loss(3.25);
  EXPECT_THAT(JobLine(job, 6, kPlain), HasSubstr("  val 2.6000  second 3.2500  18.2k tok/s"));
}

TEST(JobLine, TellsWhyAJobWaits) {
  v1::Job job = MakeJob("job-1", v1::QUEUED);
  job.set_reason("no group with 4 ranks");
  EXPECT_THAT(JobLine(job, 5, kPlain), EndsWith("no group with 4 ranks"));
}

TEST(JobLine, NamesAPhaseOtherThanTraining) {
  v1::Job job = RunningJob("job-1", 250);
  job.mutable_progress()->set_phase("evaluating");
  EXPECT_THAT(JobLine(job, 5, kPlain), EndsWith("evaluating"));
}

TEST(JobTable, GivesASweepsParentNoLoss) {
  v1::Job parent = RunningJob("job-1", 10);
  parent.mutable_progress()->set_train_loss(0);
  parent.mutable_progress()->clear_validation_loss();
  parent.add_child_ids("job-2");
  EXPECT_THAT(JobTable({parent}, 0, kPlain), Not(HasSubstr("0.0000")));
}

TEST(ProgressFraction, IsFullOnceSucceededAndEmptyBeforeStepsAreKnown) {
  EXPECT_EQ(ProgressFraction(MakeJob("a", v1::SUCCEEDED)), 1.0);
  EXPECT_EQ(ProgressFraction(MakeJob("a", v1::RUNNING)), 0.0);
  EXPECT_EQ(ProgressFraction(RunningJob("a", 125)), 0.25);
}

TEST(SweepSummary, CountsStates) {
  EXPECT_EQ(SweepSummary({MakeJob("a", v1::SUCCEEDED), MakeJob("b", v1::FAILED), MakeJob("c", v1::RUNNING),
                          MakeJob("d", v1::QUEUED)}),
            "2/4 jobs done, 1 failed, 1 running, 1 queued");
}

TEST(LiveLines, FitTheTerminalAndKeepWhatRuns) {
  JobSnapshot snapshot;
  snapshot.job = MakeJob("job-1", v1::RUNNING);
  for (int i = 2; i < 102; ++i) {
    snapshot.children.push_back(i == 90 ? RunningJob("job-90", 10) : MakeJob("job-" + std::to_string(i), v1::QUEUED));
  }
  const std::vector<std::string> lines = LiveLines(snapshot, Style{.width = 60, .height = 10});
  EXPECT_THAT(lines, SizeIs(8));
  EXPECT_THAT(lines, testing::Contains(HasSubstr("job-90")));
  EXPECT_THAT(lines.back(), HasSubstr("0/100 jobs done"));
  for (const std::string& line : lines) EXPECT_LT(DisplayWidth(line), 60);
}

TEST(PlainProgress, PrintsAtChangesOfStateAndAtIntervalsOnly) {
  PlainProgress plain(5'000);
  JobSnapshot snapshot{RunningJob("job-1", 1), {}};
  EXPECT_THAT(plain.Update(snapshot, 0), SizeIs(1));
  EXPECT_THAT(plain.Update(snapshot, 4'999), IsEmpty());
  EXPECT_THAT(plain.Update(snapshot, 5'000), SizeIs(1));
  snapshot.job.mutable_progress()->set_phase("evaluating");
  EXPECT_THAT(plain.Update(snapshot, 5'001), IsEmpty());
  snapshot.job.mutable_progress()->set_phase("starting");
  EXPECT_THAT(plain.Update(snapshot, 5'001), ElementsAre(EndsWith("starting")));
  snapshot.job.set_state(v1::SUCCEEDED);
  EXPECT_THAT(plain.Update(snapshot, 5'002), ElementsAre(HasSubstr("succeeded")));
  EXPECT_THAT(plain.Update(snapshot, 60'000), IsEmpty());
}

TEST(PlainProgress, TellsASweepsQueueInOneLine) {
  PlainProgress plain(5'000);
  JobSnapshot snapshot{MakeJob("job-1", v1::RUNNING), {MakeJob("job-2", v1::QUEUED), MakeJob("job-3", v1::QUEUED)}};
  EXPECT_THAT(plain.Update(snapshot, 0), ElementsAre("0/2 jobs done, 2 queued"));
  snapshot.children[0].set_state(v1::SUCCEEDED);
  EXPECT_THAT(plain.Update(snapshot, 1), ElementsAre(EndsWith("(1/2 jobs done, 1 queued)")));
}

TEST(PointTable, ShowsUnitsAndMarksThePareto) {
  v1::FrontierPoint point;
  point.set_name("ridge-a1w1");
  point.set_estimator("ridge");
  point.set_weight_format("int1");
  point.set_weight_scheme("affine");
  point.set_weight_block(128);
  point.set_activation_format("none");
  point.set_loss(2.38123);
  point.set_accuracy(0.3456);
  point.set_storage_bytes(204'800);
  point.set_bits_per_element(1.25);
  point.set_energy_proxy(12'300'000);
  point.set_pareto(true);
  const std::string table = PointTable({point}, kPlain);
  EXPECT_THAT(table, HasSubstr("KiB"));
  EXPECT_THAT(
      table,
      HasSubstr("ridge-a1w1  ridge      int1 affine/128  none         2.3812  34.56  200.0  1.250   12.3M  *\n"));
}

TEST(PointTable, HasAColumnForTheEmbeddingOnceOneIsQuantized) {
  v1::FrontierPoint plain, point;
  plain.set_activation_format("none");
  plain.set_embedding_format("none");
  point = plain;
  point.set_embedding_format("int6");
  EXPECT_THAT(PointTable({plain}, kPlain), Not(HasSubstr("EMBEDDING")));
  const std::string table = PointTable({plain, point}, kPlain);
  EXPECT_THAT(table, HasSubstr("ACTIVATIONS  EMBEDDING  LOSS"));
  EXPECT_THAT(table, HasSubstr("none         none  "));
  EXPECT_THAT(table, HasSubstr("none         int6  "));
}

TEST(PointTable, HasAColumnForTheSecondTextOnceAPointHasOne) {
  v1::FrontierPoint plain, point;
  plain.set_name("plain");
  point.set_name("point");
  point.set_loss(2);
  point.set_second_loss(3.25);
  EXPECT_THAT(PointTable({plain}, kPlain), Not(HasSubstr("SECOND")));
  const std::string table = PointTable({plain, point}, kPlain);
  EXPECT_THAT(table, HasSubstr("LOSS  SECOND"));
  EXPECT_THAT(table, HasSubstr("2.0000  3.2500"));
}

TEST(PointTable, HasJoulesWithTheirSourceAndSpeedOnceAPointHasThem) {
  v1::FrontierPoint plain, modelled, measured;
  plain.set_name("plain");
  EXPECT_THAT(PointTable({plain}, kPlain), testing::AllOf(Not(HasSubstr("J/TOKEN")), Not(HasSubstr("TOK/S"))));
  modelled.set_energy_joules_per_token(0.00125);
  modelled.set_energy_source("modelled");
  measured.set_energy_joules_per_token(2);
  measured.set_energy_source("rapl");
  measured.set_decode_tokens_per_second(2345);
  const std::string table = PointTable({plain, modelled, measured}, kPlain);
  EXPECT_THAT(table, HasSubstr("ENERGY           J/TOKEN  TOK/S  PARETO\n"));
  EXPECT_THAT(table, HasSubstr("1.25 mJ modelled      -\n"));
  EXPECT_THAT(table, HasSubstr("        2 J rapl  2.35k\n"));
}

TEST(PointTable, LeavesWhatWasNotMeasuredOpen) {
  v1::FrontierPoint point;
  point.set_job_id("job-2");
  const std::string table = PointTable({point}, kPlain);
  EXPECT_THAT(table, HasSubstr("job-2"));
  EXPECT_THAT(table, HasSubstr("  -  "));
  EXPECT_THAT(table, Not(HasSubstr("0.0000")));
}

TEST(JobDetails, TellsOfTheSecondTextAndTheTeacherWhereThereAreSuch) {
  v1::Job job = RunningJob("job-1", 10);
  EXPECT_THAT(JobDetails(job, 0), testing::AllOf(Not(HasSubstr("second")), Not(HasSubstr("divergence"))));
  job.mutable_progress()->set_second_loss(3.25);
  job.mutable_progress()->set_distill_divergence(0.125);
  EXPECT_THAT(JobDetails(job, 0), HasSubstr("val loss    2.6000\nsecond loss 3.2500\ndivergence  0.1250\n"));
}

TEST(CollectivesText, TellsBytesOfAStepByOperationAndTheShareOfTheTime) {
  v1::Job job = RunningJob("job-1", 110);
  v1::Attempt* attempt = job.add_attempts();
  attempt->set_resumed_from_step(10);
  attempt->set_start_unix_ms(5'000);
  EXPECT_EQ(CollectivesText(job, 25'000), "");
  const auto add = [&](const char* operation, int64_t bytes, double seconds) {
    v1::CollectiveCount* count = job.mutable_progress()->add_collectives();
    count->set_operation(operation);
    count->set_bytes(bytes);
    count->set_seconds(seconds);
  };
  add("barrier", 0, 1);
  EXPECT_EQ(CollectivesText(job, 25'000), "") << "one rank alone sends nothing";
  add("all_reduce", int64_t{100} << 20, 2);
  add("all_gather", 100 * 512, 1);
  const std::string sent = "a step sends all_reduce 1.0 MiB, all_gather 512 B; ";
  EXPECT_EQ(CollectivesText(job, 25'000), sent + "20% of the attempt's time in its collectives");
  attempt->set_end_unix_ms(15'000);
  const std::string text = sent + "40% of the attempt's time in its collectives";
  EXPECT_EQ(CollectivesText(job, 25'000), text) << "until its end";
  EXPECT_THAT(JobDetails(job, 25'000), HasSubstr("collectives " + text + "\n"));
  EXPECT_THAT(LiveLines({job, {}}, Style{.width = 200, .height = 10}),
              ElementsAre(HasSubstr("110/500"), EndsWith(text)));
}

TEST(JobDetails, ListsAttempts) {
  v1::Job job = RunningJob("job-1", 10);
  v1::Attempt* attempt = job.add_attempts();
  attempt->set_epoch(1);
  attempt->set_group_id("local");
  attempt->set_ranks(2);
  attempt->set_outcome(v1::LOST);
  attempt->set_detail("lease ran out");
  EXPECT_THAT(JobDetails(job, 0), HasSubstr("attempt     1, group local, 2 ranks, from step 0, lost: lease ran out\n"));
  attempt->set_exit_reason(v1::EXIT_LOST);
  EXPECT_THAT(JobDetails(job, 0), HasSubstr("from step 0, lost (LOST): lease ran out\n"));
}

TEST(JobDetails, SayWhatToDoAboutAFailureAndNothingWhereAllIsWell) {
  v1::Job job = RunningJob("job-1", 10);
  job.set_state(v1::FAILED);
  EXPECT_THAT(JobDetails(job, 0), Not(HasSubstr("remedy")));
  job.add_attempts()->set_exit_reason(v1::EXIT_OOM);
  EXPECT_THAT(JobDetails(job, 0), HasSubstr("\nremedy      lower training.local_batch_size"));
  for (const v1::JobState state : {v1::RUNNING, v1::SUCCEEDED, v1::CANCELLED}) {
    job.set_state(state);
    EXPECT_EQ(RemedyText(job), "");
  }
}

}  // namespace
}  // namespace ridgeline
