// SPDX-License-Identifier: Apache-2.0
// A sweep of method asha over real streams: who is promoted gets another attempt from its checkpoint, who is not is
// stopped with its reason and keeps its curve.
#include <gmock/gmock.h>

#include "coordinator/rpc/test_cluster.h"

namespace ridgeline::test {
namespace {

using testing::HasSubstr;

class TrialsOfASweepTest : public ClusterTest {
 protected:
  v1::Recipe Sweep(int trials) {
    v1::Recipe recipe = MakeRecipe("sweep");
    recipe.mutable_training()->set_steps(90);
    v1::Sweep& sweep = *recipe.mutable_sweep();
    sweep.set_method("asha");
    sweep.set_trials(trials);
    sweep.set_min_steps(30);
    v1::SweepValues& lr = (*sweep.mutable_parameters())["optimizer.lr"];
    lr.set_min(1e-4);
    lr.set_max(1e-2);
    lr.set_scale("log");
    return recipe;
  }
  // Trains the assigned attempt to where it is told to stop.
  void Train(TestWorker& worker, const v1::Assign& assign, double loss) {
    const int64_t last = assign.stop_at_step() > 0 ? assign.stop_at_step() : 90;
    v1::WorkerMessage metrics = MetricsMessage(assign, last, last);
    metrics.mutable_metrics()->mutable_points(0)->set_validation_loss(loss);
    worker.Send(metrics);
    worker.Send(CheckpointMessage(assign, last));
    worker.Send(ResultMessage(assign, assign.stop_at_step() > 0 ? v1::REACHED : v1::COMPLETED));
  }
};

TEST_F(TrialsOfASweepTest, TheBestGoesOnFromItsCheckpointAndTheOthersAreStopped) {
  TestWorker worker(server_->address(), "a", "a1");
  const v1::Job parent = SubmitJob(Sweep(3));
  const double losses[] = {3.0, 2.0, 4.0};
  for (int trial = 0; trial < 3; ++trial) {
    const v1::Assign assign = worker.ExpectAssign();
    EXPECT_EQ(assign.job_id(), parent.child_ids(trial));
    EXPECT_EQ(assign.stop_at_step(), 30);
    Train(worker, assign, losses[trial]);
  }
  const v1::Assign promoted = worker.ExpectAssign();
  EXPECT_EQ(promoted.job_id(), parent.child_ids(1));
  EXPECT_EQ(promoted.epoch(), 2);
  EXPECT_EQ(promoted.stop_at_step(), 0);
  EXPECT_EQ(promoted.resume_from().step(), 30);
  Train(worker, promoted, 1.5);
  EXPECT_TRUE(WaitForState(parent.id(), v1::SUCCEEDED));
  const v1::Job stopped = GetJob(parent.child_ids(2));
  EXPECT_EQ(stopped.state(), v1::CANCELLED);
  EXPECT_THAT(stopped.reason(), HasSubstr("stopped early"));
  EXPECT_EQ(GetJob(parent.child_ids(1)).restarts(), 0);
  v1::GetMetricsRequest request;
  request.set_job(stopped.id());
  v1::GetMetricsResponse curve;
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::GetMetrics, request, &curve).ok());
  EXPECT_EQ(curve.points_size(), 1);
}

TEST_F(TrialsOfASweepTest, DecisionsOutliveARestart) {
  v1::Job parent;
  v1::Assign second;
  {
    TestWorker worker(server_->address(), "a", "a1");
    parent = SubmitJob(Sweep(3));
    Train(worker, worker.ExpectAssign(), 2.0);
    second = worker.ExpectAssign();
    ASSERT_TRUE(WaitForState(parent.child_ids(0), v1::PAUSED));
  }
  Restart();
  TestWorker worker(server_->address(), "a", "a1", 2, second.job_id(), second.epoch());
  Train(worker, second, 3.0);
  Train(worker, worker.ExpectAssign(), 3.0);
  EXPECT_EQ(worker.ExpectAssign().job_id(), parent.child_ids(0));
}

TEST_F(TrialsOfASweepTest, AnAttemptThatWasNotToldToStopHasNotReachedAnything) {
  TestWorker worker(server_->address(), "a", "a1");
  const v1::Job job = SubmitJob(MakeRecipe());
  worker.Send(ResultMessage(worker.ExpectAssign(), v1::REACHED));
  EXPECT_TRUE(WaitForState(job.id(), v1::FAILED));
}

}  // namespace
}  // namespace ridgeline::test
