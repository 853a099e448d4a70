// SPDX-License-Identifier: Apache-2.0
// The worker protocol over real streams: leases, reattachment, stale epochs, duplicates.
#include <gmock/gmock.h>

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
  EXPECT_EQ(worker->Expect(v1::CoordinatorMessage::kWelcome).welcome().lease_ms(), 60'000);
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

}  // namespace
}  // namespace ridgeline::test
