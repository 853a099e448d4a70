// SPDX-License-Identifier: Apache-2.0
// The worker protocol over real streams: leases, reattachment, stale epochs, duplicates.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "coordinator/rpc/test_cluster.h"

namespace ridgeline::test {
namespace {

using testing::HasSubstr;

class WorkerGatewayTest : public ClusterTest {
 protected:
  std::unique_ptr<TestWorker> Attach(const std::string& group_id, const std::string& incarnation, int ranks = 2) {
    return std::make_unique<TestWorker>(server_->address(), group_id, incarnation, ranks);
  }
  std::unique_ptr<TestWorker> Reattach(const std::string& group_id, const std::string& incarnation,
                                       const v1::Assign& claim) {
    return std::make_unique<TestWorker>(server_->address(), group_id, incarnation, 2, claim.job_id(), claim.epoch());
  }
  // What the journal and the store hold about a job, to see that nothing changed.
  std::string Known(const std::string& job_id) {
    v1::Job job = GetJob(job_id);
    v1::StreamLogsRequest request;
    request.set_job(job_id);
    grpc::ClientContext context;
    auto stream = stub_->StreamLogs(&context, request);
    std::string known = job.DebugString();
    for (v1::LogLine line; stream->Read(&line);) known += line.DebugString();
    stream->Finish();
    return known;
  }
  // In small parts: a big jump would be a coordinator that stood still.
  void LetTimePass(int64_t ms) {
    const int64_t part_ms = options_.lease_ms / 100;
    for (int64_t passed_ms = 0; passed_ms < ms; passed_ms += part_ms) {
      clock_.Advance(part_ms);
      server_->journal().changes().Notify();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  bool WaitForStateAsTimePasses(const std::string& job, v1::JobState state) {
    return WaitUntil([&] {
      LetTimePass(1);
      return GetJob(job).state() == state;
    });
  }
};

TEST_F(WorkerGatewayTest, AssignedJobRunsToItsEndAndLeavesItsPoint) {
  auto worker = Attach("a", "a1");
  EXPECT_EQ(worker->Expect(v1::CoordinatorMessage::kWelcome).welcome().heartbeat_interval_ms(), options_.heartbeat_ms);
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  EXPECT_EQ(assign.job_id(), "job-1");
  EXPECT_EQ(assign.epoch(), 1);
  EXPECT_EQ(assign.recipe().training().seq_len(), 128) << "defaults are filled in";
  EXPECT_FALSE(assign.has_resume_from());
  worker->ExpectAck(worker->Send(MetricsMessage(assign, 1, 50)));
  worker->ExpectAck(worker->Send(CheckpointMessage(assign, 50)));
  const v1::Job running = GetJob("run");
  EXPECT_EQ(running.state(), v1::RUNNING);
  EXPECT_EQ(running.progress().step(), 50);
  EXPECT_EQ(running.progress().phase(), "training");
  EXPECT_EQ(running.progress().second_loss(), 3.4);
  EXPECT_EQ(running.progress().second_accuracy(), 0.3);
  EXPECT_EQ(running.progress().distill_divergence(), 0.25);
  EXPECT_DOUBLE_EQ(running.progress().eta_seconds(), 50 * 128 * 12 / 15'360.0);
  worker->ExpectAck(worker->Send(ResultMessage(assign, v1::COMPLETED)));
  const v1::Job ended = GetJob("run");
  EXPECT_EQ(ended.state(), v1::SUCCEEDED);
  EXPECT_EQ(ended.point_id(), "point-1");
  EXPECT_EQ(ended.last_checkpoint().step(), 50);
}

v1::WorkerMessage ResultWithArtifact(const v1::Assign& assign, const std::string& name, const std::string& path,
                                     const std::string& file) {
  v1::WorkerMessage message = ResultMessage(assign, v1::COMPLETED);
  v1::Artifact* artifact = message.mutable_result()->add_artifacts();
  artifact->set_name(name);
  artifact->set_path(path);
  artifact->add_files()->set_name(file);
  return message;
}

TEST_F(WorkerGatewayTest, ACompletedJobListsItsArtifacts) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  worker->ExpectAck(worker->Send(ResultWithArtifact(assign, "model", "jobs/job-1/artifacts/model", "config.json")));
  const v1::Job job = GetJob("run");
  EXPECT_EQ(job.state(), v1::SUCCEEDED);
  ASSERT_EQ(job.artifacts_size(), 1);
  EXPECT_EQ(job.artifacts(0).files(0).name(), "config.json");
}

TEST_F(WorkerGatewayTest, AnArtifactThatLeadsElsewhereFailsTheJobAndIsNotListed) {
  auto worker = Attach("a", "a1");
  const std::string good = "jobs/job-{}/artifacts/model";
  const std::string nul("a\0b", 3);
  int number = 0;
  for (const auto& [name, path, file] : {std::tuple{std::string("../model"), good, std::string("config.json")},
                                         {"model", "/etc", "passwd"},
                                         {"model", "jobs/job-{}/artifacts/../../../x", "config.json"},
                                         {"model", good, "../../config.json"},
                                         {"model", good, "/etc/passwd"},
                                         {"model", good, nul},
                                         {nul, good, "config.json"},
                                         {"", good, "config.json"},
                                         {"model", good, "\x1b[31m"},
                                         {"model", "jobs/job-99/artifacts/model", "config.json"}}) {
    SubmitJob(MakeRecipe());
    const v1::Assign assign = worker->ExpectAssign();
    ++number;
    worker->ExpectAck(worker->Send(ResultWithArtifact(assign, name, fmt::format(fmt::runtime(path), number), file)));
    const v1::Job job = GetJob(assign.job_id());
    EXPECT_EQ(job.state(), v1::FAILED) << name << " " << path << " " << file;
    EXPECT_EQ(job.artifacts_size(), 0);
    EXPECT_EQ(job.point_id(), "");
    EXPECT_THAT(job.reason(), HasSubstr("an artifact that is refused"));
    EXPECT_EQ(job.reason().find('\x1b'), std::string::npos);
  }
}

TEST_F(WorkerGatewayTest, AGroupThatSaysThatItHangsGetsNoNewJobAndItsJobWaitsAgain) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  worker->ExpectAck(worker->Send(ResultMessage(assign, v1::LOST)));
  EXPECT_TRUE(WaitUntil([&] { return GetJob("run").state() == v1::QUEUED; }));
  const v1::Job job = GetJob("run");
  EXPECT_EQ(job.restarts(), 1);
  EXPECT_EQ(job.attempts(0).detail(), "as told");
  EXPECT_FALSE(worker->Has(v1::CoordinatorMessage::kAssign));
}

TEST_F(WorkerGatewayTest, DuplicatedRecordsCountOnce) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  const int64_t metrics = worker->Send(MetricsMessage(assign, 1, 5));
  worker->SendAgain(MetricsMessage(assign, 1, 5), metrics);
  worker->ExpectAck(metrics);
  worker->ExpectAck(metrics);
  const int64_t result = worker->Send(ResultMessage(assign, v1::COMPLETED));
  worker->SendAgain(ResultMessage(assign, v1::COMPLETED), result);
  worker->ExpectAck(result);
  worker->ExpectAck(result);
  v1::ListPointsResponse points;
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListPoints, v1::ListPointsRequest(), &points).ok());
  EXPECT_EQ(points.points_size(), 1);
  v1::GetMetricsRequest request;
  v1::GetMetricsResponse curve;
  request.set_job("job-1");
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::GetMetrics, request, &curve).ok());
  EXPECT_EQ(curve.points_size(), 5);
}

TEST_F(WorkerGatewayTest, CancelReachesTheWorkerAndEndsTheJob) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  ASSERT_TRUE(Cancel("job-1").ok());
  EXPECT_EQ(worker->Expect(v1::CoordinatorMessage::kCancel).cancel().epoch(), 1);
  worker->ExpectAck(worker->Send(ResultMessage(assign, v1::STOPPED)));
  EXPECT_EQ(GetJob("job-1").state(), v1::CANCELLED);
  EXPECT_TRUE(WaitForGroupState("a", v1::IDLE));
}

TEST_F(WorkerGatewayTest, SilenceLongerThanTheLeaseMovesTheJobAndRefusesTheOldEpoch) {
  auto silent = Attach("silent", "s1");
  SubmitJob(MakeRecipe());
  const v1::Assign first = silent->ExpectAssign();
  silent->ExpectAck(silent->Send(CheckpointMessage(first, 40)));
  ASSERT_TRUE(WaitForStateAsTimePasses("job-1", v1::QUEUED));
  EXPECT_THAT(GetJob("job-1").reason(), HasSubstr("no sign of life from worker group 'silent'"));
  EXPECT_THAT(GetJob("job-1").reason(), HasSubstr("no worker group with 1 rank is connected"));

  auto other = Attach("other", "o1");
  const v1::Assign second = other->ExpectAssign();
  EXPECT_EQ(second.epoch(), 2);
  EXPECT_EQ(second.resume_from().step(), 40);

  // The partition heals: the old attempt learns that it is over, and what it sends is acknowledged but not taken.
  auto healed = Reattach("silent", "s1", first);
  EXPECT_EQ(healed->Expect(v1::CoordinatorMessage::kCancel).cancel().epoch(), 1);
  healed->ExpectAck(healed->Send(CheckpointMessage(first, 90)));
  healed->ExpectAck(healed->Send(ResultMessage(first, v1::COMPLETED)));
  EXPECT_EQ(GetJob("job-1").state(), v1::RUNNING);
  EXPECT_EQ(GetJob("job-1").last_checkpoint().step(), 40);
  EXPECT_TRUE(WaitForGroupState("silent", v1::IDLE));
  other->ExpectAck(other->Send(ResultMessage(second, v1::COMPLETED)));
  EXPECT_EQ(GetJob("job-1").restarts(), 1);
}

TEST_F(WorkerGatewayTest, BrokenStreamKeepsTheAttemptForTheSameIncarnation) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  worker->Break();
  ASSERT_TRUE(WaitForGroupState("a", v1::UNREACHABLE));
  EXPECT_EQ(GetJob("job-1").state(), v1::RUNNING) << "unreachable is not failed";
  auto again = Reattach("a", "a1", assign);
  again->ExpectAck(again->Send(ResultMessage(assign, v1::COMPLETED)));
  EXPECT_FALSE(again->Has(v1::CoordinatorMessage::kAssign));
  EXPECT_EQ(GetJob("job-1").state(), v1::SUCCEEDED);
  EXPECT_EQ(GetJob("job-1").attempts_size(), 1);
  EXPECT_EQ(GetJob("job-1").restarts(), 0);
}

TEST_F(WorkerGatewayTest, AnotherIncarnationLosesTheAttemptAtOnceAndTheOldOneMayNotReturn) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  worker->ExpectAssign();
  auto restarted = Attach("a", "a2");
  EXPECT_EQ(restarted->ExpectAssign().epoch(), 2);
  EXPECT_EQ(GetJob("job-1").attempts(0).outcome(), v1::LOST);
  EXPECT_TRUE(WaitUntil([&] { return worker->ended(); }));
  auto late = Attach("a", "a1");
  EXPECT_THAT(late->Expect(v1::CoordinatorMessage::kRefused).refused().reason(), HasSubstr("--group"));
  EXPECT_EQ(GetJob("job-1").state(), v1::RUNNING);
}

TEST_F(WorkerGatewayTest, CoordinatorRestartChargesNoRestart) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  Restart();
  ASSERT_TRUE(WaitForGroupState("a", v1::UNREACHABLE));
  auto again = Reattach("a", "a1", assign);
  ASSERT_TRUE(WaitForGroupState("a", v1::BUSY));
  again->ExpectAck(again->Send(MetricsMessage(assign, 1, 100)));
  again->ExpectAck(again->Send(ResultMessage(assign, v1::COMPLETED)));
  EXPECT_EQ(GetJob("job-1").state(), v1::SUCCEEDED);
  EXPECT_EQ(GetJob("job-1").attempts_size(), 1);
}

TEST_F(WorkerGatewayTest, GroupThatNeverComesBackAfterARestartLosesTheAttemptAfterAFullLease) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  worker->ExpectAssign();
  Restart();
  LetTimePass(options_.lease_ms / 2);
  EXPECT_EQ(GetJob("job-1").state(), v1::RUNNING);
  EXPECT_TRUE(WaitForStateAsTimePasses("job-1", v1::QUEUED));
}

TEST_F(WorkerGatewayTest, GroupThatMissedItsAssignmentGetsItAgain) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  worker->ExpectAssign();
  Restart();
  auto again = Attach("a", "a1");  // Claims nothing: the assignment never reached it.
  clock_.Advance(3 * options_.heartbeat_ms);
  EXPECT_EQ(again->ExpectAssign().epoch(), 1);
}

TEST_F(WorkerGatewayTest, ResultThatWaitedInTheSpoolStillCounts) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  worker->Break();
  auto again = Attach("a", "a1");  // Claims nothing: the attempt has ended there, and its result comes now.
  again->ExpectAck(again->Send(ResultMessage(assign, v1::COMPLETED)));
  EXPECT_EQ(GetJob("job-1").state(), v1::SUCCEEDED);
  EXPECT_EQ(GetJob("job-1").attempts_size(), 1);
}

TEST_F(WorkerGatewayTest, AssignmentMissedByAGroupAtAStaleAttemptComesAgain) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe("one"));
  const v1::Assign one = worker->ExpectAssign();
  worker->ExpectAck(worker->Send(ResultMessage(one, v1::COMPLETED)));
  SubmitJob(MakeRecipe("two"));
  EXPECT_EQ(worker->ExpectAssign().job_id(), "job-2");
  // The group was at something else, and says so by that attempt's end.
  worker->ExpectAck(worker->Send(ResultMessage(one, v1::STOPPED)));
  EXPECT_EQ(worker->ExpectAssign().job_id(), "job-2");
}

TEST_F(WorkerGatewayTest, PreemptedGroupGetsNoNewJobAndChargesNoRestart) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  worker->ExpectAck(worker->Send(ResultMessage(assign, v1::PREEMPTED)));
  auto other = Attach("b", "b1");
  EXPECT_EQ(other->ExpectAssign().epoch(), 2) << "the job goes to another group";
  EXPECT_FALSE(worker->Has(v1::CoordinatorMessage::kAssign));
  EXPECT_EQ(GetJob("job-1").restarts(), 0);
}

TEST_F(WorkerGatewayTest, WallClockJumpEndsNoLease) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  clock_.JumpWall(-3'600'000);
  worker->ExpectAck(worker->Send(CheckpointMessage(assign, 10)));
  clock_.JumpWall(2 * 3'600'000);
  worker->ExpectAck(worker->Send(CheckpointMessage(assign, 20)));
  clock_.JumpWall(-2 * 3'600'000);
  worker->ExpectAck(worker->Send(ResultMessage(assign, v1::COMPLETED)));
  const v1::Job job = GetJob("job-1");
  EXPECT_EQ(job.state(), v1::SUCCEEDED);
  EXPECT_GE(job.attempts(0).end_unix_ms(), job.attempts(0).start_unix_ms());
  EXPECT_GE(job.end_unix_ms(), job.start_unix_ms());
}

TEST_F(WorkerGatewayTest, GroupThatSaysGoodbyeIsGoneAtOnce) {
  auto worker = Attach("a", "a1");
  ASSERT_TRUE(WaitForGroupState("a", v1::IDLE));
  worker->Leave();
  EXPECT_TRUE(WaitUntil([&] { return Workers().groups_size() == 0; }));
}

TEST_F(WorkerGatewayTest, StreamWithoutHelloIsRefused) {
  auto stub = v1::WorkerGateway::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  auto stream = stub->Attach(&context);
  v1::WorkerMessage message;
  message.mutable_heartbeat();
  stream->Write(message);
  v1::CoordinatorMessage answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(WorkerGatewayTest, GroupThatDoesNotHoldTheAttemptChangesNothing) {
  auto holder = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = holder->ExpectAssign();
  holder->ExpectAck(holder->Send(MetricsMessage(assign, 1, 5)));
  holder->ExpectAck(holder->Send(CheckpointMessage(assign, 5)));
  holder->ExpectAck(holder->Send(LogMessage(assign, "mine")));
  const std::string before = Known("job-1");
  auto idle = Attach("b", "b1");
  auto liar = Reattach("c", "c1", assign);  // Says that it still runs the attempt.
  for (TestWorker* foreign : {idle.get(), liar.get()}) {
    foreign->ExpectAck(foreign->Send(MetricsMessage(assign, 1, 90)));
    foreign->ExpectAck(foreign->Send(CheckpointMessage(assign, 90)));
    foreign->ExpectAck(foreign->Send(LogMessage(assign, "not mine")));
    foreign->ExpectAck(foreign->Send(ResultMessage(assign, v1::COMPLETED, /*accuracy=*/0.99)));
    foreign->ExpectAck(foreign->Send(ResultMessage(assign, v1::ERROR)));
    EXPECT_EQ(Known("job-1"), before);
  }
  EXPECT_EQ(liar->Expect(v1::CoordinatorMessage::kCancel).cancel().job_id(), "job-1");
  v1::ListPointsResponse points;
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListPoints, v1::ListPointsRequest(), &points).ok());
  EXPECT_EQ(points.points_size(), 0);
  holder->ExpectAck(holder->Send(ResultMessage(assign, v1::COMPLETED)));
  EXPECT_EQ(GetJob("job-1").state(), v1::SUCCEEDED);
}

TEST_F(WorkerGatewayTest, CheckpointOutsideItsPlaceInTheWorkFolderIsRefused) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  worker->ExpectAck(worker->Send(CheckpointMessage(assign, 20)));
  const std::string before = Known("job-1");
  for (const std::string& path :
       {std::string(), std::string("/etc"), std::string("/jobs/job-1/checkpoints/step-00000040"),
        std::string("../jobs/job-1/checkpoints/step-00000040"),
        std::string("jobs/../jobs/job-1/checkpoints/step-00000040"),
        std::string("jobs/job-1/checkpoints/step-00000040/.."), std::string("jobs/job-1/checkpoints/step-00000040/"),
        std::string("jobs//job-1/checkpoints/step-00000040"), std::string("./jobs/job-1/checkpoints/step-00000040"),
        std::string("jobs/job-2/checkpoints/step-00000040"), std::string("jobs/job-1/checkpoints/step-00000041"),
        std::string("jobs/job-1/checkpoints/step-40"), std::string("jobs/job-1/checkpoints/step-00000040\0x", 38),
        std::string("jobs/job-1/checkpoints/step-00000040\n"), std::string("C:\\jobs\\job-1"),
        std::string(1'000'000, 'a')}) {
    v1::WorkerMessage message = CheckpointMessage(assign, 40);
    message.mutable_checkpoint()->mutable_checkpoint()->set_path(path);
    worker->ExpectAck(worker->Send(message));
    EXPECT_EQ(Known("job-1"), before) << path.substr(0, 100);
  }
  worker->ExpectAck(worker->Send(CheckpointMessage(assign, 101)));  // Beyond the last step.
  worker->ExpectAck(worker->Send(CheckpointMessage(assign, -1)));
  v1::WorkerMessage unhashed = CheckpointMessage(assign, 40);
  unhashed.mutable_checkpoint()->mutable_checkpoint()->set_sha256("../../x");
  worker->ExpectAck(worker->Send(unhashed));
  EXPECT_EQ(Known("job-1"), before);
  worker->ExpectAck(worker->Send(CheckpointMessage(assign, 40)));
  EXPECT_EQ(GetJob("job-1").last_checkpoint().path(), "jobs/job-1/checkpoints/step-00000040");
}

TEST_F(WorkerGatewayTest, ResultThatNobodyCanHaveMeasuredFailsTheJobAndLeavesNoPoint) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  using Spoil = std::function<void(v1::FrontierPoint&)>;
  const std::vector<Spoil> spoils = {
      [&](v1::FrontierPoint& p) { p.clear_loss(); },
      [&](v1::FrontierPoint& p) { p.set_loss(nan); },
      [&](v1::FrontierPoint& p) { p.set_loss(infinity); },
      [&](v1::FrontierPoint& p) { p.set_second_loss(nan); },
      [&](v1::FrontierPoint& p) { p.set_accuracy(1e308); },
      [&](v1::FrontierPoint& p) { p.set_accuracy(-0.1); },
      [&](v1::FrontierPoint& p) { p.set_storage_bytes(-1); },
      [&](v1::FrontierPoint& p) { p.set_energy_proxy(nan); },
      [&](v1::FrontierPoint& p) { p.set_bits_per_element(1e9); },
      [&](v1::FrontierPoint& p) { p.set_steps(-1); },
      [&](v1::FrontierPoint& p) { p.set_tokens(-1); },
      [&](v1::FrontierPoint& p) { p.set_weight_block(-1); },
      [&](v1::FrontierPoint& p) { p.set_model("gpt\x1b[31m"); },
      [&](v1::FrontierPoint& p) { p.set_dataset(std::string(100'000, 'x')); },
  };
  auto worker = Attach("a", "a1");
  for (const Spoil& spoil : spoils) {
    const v1::Job job = SubmitJob(MakeRecipe());
    const v1::Assign assign = worker->ExpectAssign();
    v1::WorkerMessage message = ResultMessage(assign, v1::COMPLETED);
    spoil(*message.mutable_result()->mutable_point());
    worker->ExpectAck(worker->Send(message));
    const v1::Job ended = GetJob(job.id());
    EXPECT_EQ(ended.state(), v1::FAILED) << message.result().point().ShortDebugString().substr(0, 300);
    EXPECT_EQ(ended.point_id(), "");
    EXPECT_THAT(ended.reason(), HasSubstr("the worker's result is refused"));
    const v1::FrontierPoint& point = message.result().point();
    const bool finite = point.has_loss() && std::isfinite(point.loss());
    EXPECT_EQ(ended.reason().rfind("NONFINITE: ", 0) == 0, !finite) << ended.reason();
  }
  v1::ListPointsResponse points;
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListPoints, v1::ListPointsRequest(), &points).ok());
  EXPECT_EQ(points.points_size(), 0);
}

TEST_F(WorkerGatewayTest, CompletedWithoutAPointSucceedsOnlyWhereTheRecipeWantsNone) {
  auto worker = Attach("a", "a1");
  for (const bool wanted : {true, false}) {
    v1::Recipe recipe = MakeRecipe();
    recipe.mutable_export_()->set_frontier(wanted);
    const v1::Job job = SubmitJob(recipe);
    v1::WorkerMessage message = ResultMessage(worker->ExpectAssign(), v1::COMPLETED);
    message.mutable_result()->clear_point();
    worker->ExpectAck(worker->Send(message));
    EXPECT_EQ(GetJob(job.id()).state(), wanted ? v1::FAILED : v1::SUCCEEDED);
  }
}

TEST_F(WorkerGatewayTest, MetricsAndLogsOutOfRangeAreNotKept) {
  auto worker = Attach("a", "a1", /*ranks=*/2);
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  v1::WorkerMessage metrics = MetricsMessage(assign, 10, 10);
  metrics.mutable_metrics()->mutable_points(0)->set_validation_loss(std::numeric_limits<double>::quiet_NaN());
  metrics.mutable_metrics()->mutable_points(0)->set_second_accuracy(1e308);
  metrics.mutable_metrics()->mutable_points(0)->set_tokens(-5);
  *metrics.mutable_metrics()->mutable_points(0)->add_collectives() = MakeCount("gossip", 1, 1, 1);
  worker->ExpectAck(worker->Send(metrics));
  worker->ExpectAck(worker->Send(MetricsMessage(assign, 101, 101)));
  worker->ExpectAck(worker->Send(MetricsMessage(assign, -3, -3)));
  v1::GetMetricsRequest request;
  v1::GetMetricsResponse curve;
  request.set_job("job-1");
  request.set_after_step(-1000);
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::GetMetrics, request, &curve).ok());
  ASSERT_EQ(curve.points_size(), 1);
  EXPECT_EQ(curve.points(0).train_loss(), 3.0);
  EXPECT_FALSE(curve.points(0).has_validation_loss());
  EXPECT_FALSE(curve.points(0).has_second_accuracy());
  EXPECT_EQ(curve.points(0).tokens(), 0);
  EXPECT_EQ(curve.points(0).collectives_size(), 0);

  v1::WorkerMessage logs = LogMessage(assign, "\x1b[31mred\x1b[0m \xC2\x9B and\ttab");
  logs.mutable_logs()->mutable_lines(0)->set_level("\x1b]0;title\x07");
  for (const int rank : {-1, 2, std::numeric_limits<int>::max()}) {
    logs.mutable_logs()->add_lines()->set_rank(rank);
    logs.mutable_logs()->mutable_lines(logs.logs().lines_size() - 1)->set_text("of no rank");
  }
  worker->ExpectAck(worker->Send(logs));
  const std::string known = Known("job-1");
  EXPECT_THAT(known, HasSubstr("?[31mred?[0m ? and\\ttab"));
  EXPECT_THAT(known, testing::Not(HasSubstr("of no rank")));
  EXPECT_THAT(known, testing::Not(HasSubstr("title")));
}

TEST_F(WorkerGatewayTest, ProgressHasTheNewestCountsOfCollectives) {
  auto worker = Attach("a", "a1", /*ranks=*/2);
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker->ExpectAssign();
  v1::WorkerMessage metrics = MetricsMessage(assign, 1, 2);
  for (int i = 0; i < 2; ++i)
    *metrics.mutable_metrics()->mutable_points(i)->add_collectives() = MakeCount("all_reduce", i + 1, 100 * (i + 1), 1);
  worker->ExpectAck(worker->Send(metrics));
  const v1::Progress progress = GetJob("job-1").progress();
  ASSERT_EQ(progress.collectives_size(), 1);
  EXPECT_EQ(progress.collectives(0).operation(), "all_reduce");
  EXPECT_EQ(progress.collectives(0).bytes(), 200);
}

TEST_F(WorkerGatewayTest, GroupThatNoneCanBeIsRefusedWithTheReason) {
  const auto expect_refused = [&](const std::string& group_id, const std::string& incarnation, int ranks,
                                  const std::string& why) {
    auto worker = Attach(group_id, incarnation, ranks);
    const std::string reason = worker->Expect(v1::CoordinatorMessage::kRefused).refused().reason();
    EXPECT_THAT(reason, HasSubstr(why));
    EXPECT_THAT(reason, testing::Not(HasSubstr("\x1b")));
  };
  expect_refused("", "a1", 1, "--group");
  expect_refused("a b", "a1", 1, "letters, digits");
  expect_refused("\x1b[2Jx", "a1", 1, "letters, digits");
  expect_refused(std::string(254, 'a'), "a1", 1, "253");
  expect_refused("a", "", 1, "incarnation");
  expect_refused("a", "\n", 1, "incarnation");
  expect_refused("a", "a1", 0, "ranks");
  expect_refused("a", "a1", -1, "ranks");
  expect_refused("a", "a1", std::numeric_limits<int>::max(), "65536");
  EXPECT_EQ(Workers().groups_size(), 0);
  auto longest = Attach(std::string(253, 'a'), "a1", 65'536);
  EXPECT_EQ(longest->Expect(v1::CoordinatorMessage::kWelcome).has_welcome(), true);
}

TEST_F(WorkerGatewayTest, GroupOfAnotherVersionIsRefusedOrEndsWhatItIsAtAndGetsNoMore) {
  TestWorker stranger(server_->address(), "old", "o1", 2, "", 0, {}, "of another schema");
  const std::string reason = stranger.Expect(v1::CoordinatorMessage::kRefused).refused().reason();
  EXPECT_THAT(reason, HasSubstr("INCOMPATIBLE"));
  EXPECT_THAT(reason, HasSubstr("install one version on both"));
  v1::Assign assign;
  {
    auto before = Attach("a", "a1");
    SubmitJob(MakeRecipe());
    assign = before->ExpectAssign();
  }
  TestWorker after(server_->address(), "a", "a1", 2, assign.job_id(), assign.epoch(), {}, "of another schema");
  after.ExpectAck(after.Send(ResultMessage(assign, v1::COMPLETED)));
  EXPECT_EQ(GetJob("job-1").state(), v1::SUCCEEDED);
  SubmitJob(MakeRecipe());
  auto same = Attach("b", "b1");
  EXPECT_EQ(same->ExpectAssign().job_id(), "job-2");
  EXPECT_FALSE(after.Has(v1::CoordinatorMessage::kAssign));
}

TEST_F(WorkerGatewayTest, FullDiskMakesTheJobWaitAndGoOnByItself) {
  auto worker = Attach("a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign first = worker->ExpectAssign();
  worker->ExpectAck(worker->Send(CheckpointMessage(first, 20)));
  worker->ExpectAck(worker->Send(ResultMessage(first, v1::NO_ROOM)));
  clock_.JumpWall(-50'000);  // A slow machine must not come to the end of the wait meanwhile.
  ASSERT_TRUE(WaitUntil([&] { return GetJob("run").reason().find("tried again in") != std::string::npos; }));
  EXPECT_EQ(GetJob("run").state(), v1::QUEUED);
  EXPECT_THAT(GetJob("run").reason(), HasSubstr("no room on the disk of worker group 'a' (as told)"));
  EXPECT_FALSE(worker->Has(v1::CoordinatorMessage::kAssign));
  worker->Break();
  Restart();  // The reason survives it, and the wait.
  EXPECT_THAT(GetJob("run").reason(), HasSubstr("no room on the disk of worker group 'a' (as told)"));
  auto again = Attach("a", "a2");
  clock_.Advance(60'000);
  const v1::Assign second = again->ExpectAssign();
  EXPECT_EQ(second.resume_from().step(), 20);
  again->ExpectAck(again->Send(ResultMessage(second, v1::COMPLETED)));
  EXPECT_EQ(GetJob("run").state(), v1::SUCCEEDED);
  EXPECT_EQ(GetJob("run").restarts(), 0);
}

}  // namespace
}  // namespace ridgeline::test
