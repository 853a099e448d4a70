// SPDX-License-Identifier: Apache-2.0
// How attempts end: with which reason, and by what an earlier start of a group had left.
#include <gmock/gmock.h>

#include "coordinator/rpc/test_cluster.h"

namespace ridgeline::test {
namespace {

class AttemptEndsTest : public ClusterTest {
 protected:
  std::unique_ptr<TestWorker> Attach(const std::string& incarnation) {
    return std::make_unique<TestWorker>(server_->address(), "a", incarnation);
  }
  // The group hands in what `incarnation` has left of that attempt.
  std::unique_ptr<TestWorker> HandIn(const std::string& incarnation, const v1::Assign& of) {
    return std::make_unique<TestWorker>(server_->address(), "a", incarnation, /*ranks=*/0, of.job_id(), of.epoch());
  }
  // The attempt of a job of its own, after a result with this outcome and reason.
  v1::Attempt EndWith(v1::AttemptOutcome outcome, v1::ExitReason reason) {
    auto worker = Attach("start-" + std::to_string(++starts_));
    const std::string name = "job" + std::to_string(starts_);
    SubmitJob(MakeRecipe(name));
    v1::WorkerMessage message = ResultMessage(worker->ExpectAssign(), outcome);
    message.mutable_result()->set_exit_reason(reason);
    worker->ExpectAck(worker->Send(message));
    const v1::Attempt attempt = GetJob(name).attempts(0);
    if (GetJob(name).state() == v1::QUEUED) {
      EXPECT_TRUE(Cancel(name).ok());
    }
    return attempt;
  }

 private:
  int starts_ = 0;
};

TEST_F(AttemptEndsTest, TheWorkersReasonStaysWithTheAttempt) {
  EXPECT_EQ(EndWith(v1::ERROR, v1::EXIT_OOM).exit_reason(), v1::EXIT_OOM);
  EXPECT_EQ(EndWith(v1::ERROR, v1::EXIT_NONFINITE).exit_reason(), v1::EXIT_NONFINITE);
  EXPECT_EQ(EndWith(v1::LOST, v1::EXIT_HUNG).exit_reason(), v1::EXIT_HUNG);
  EXPECT_EQ(EndWith(v1::COMPLETED, v1::EXIT_OOM).exit_reason(), v1::EXIT_REASON_UNSPECIFIED);
}

TEST_F(AttemptEndsTest, WhereTheWorkerSaysNoneOrOneThatIsUnknownTheOutcomeDoes) {
  EXPECT_EQ(EndWith(v1::ERROR, v1::EXIT_REASON_UNSPECIFIED).exit_reason(), v1::EXIT_ERROR);
  EXPECT_EQ(EndWith(v1::LOST, v1::EXIT_REASON_UNSPECIFIED).exit_reason(), v1::EXIT_LOST);
  EXPECT_EQ(EndWith(v1::PREEMPTED, v1::EXIT_REASON_UNSPECIFIED).exit_reason(), v1::EXIT_PREEMPTED);
  EXPECT_EQ(EndWith(v1::NO_ROOM, v1::EXIT_REASON_UNSPECIFIED).exit_reason(), v1::EXIT_NO_ROOM);
  EXPECT_EQ(EndWith(v1::ERROR, static_cast<v1::ExitReason>(99)).exit_reason(), v1::EXIT_ERROR);
}

TEST_F(AttemptEndsTest, AResultWithoutAFiniteLossIsNonfinite) {
  auto worker = Attach("a1");
  SubmitJob(MakeRecipe());
  v1::WorkerMessage message = ResultMessage(worker->ExpectAssign(), v1::COMPLETED);
  message.mutable_result()->mutable_point()->set_loss(std::numeric_limits<double>::quiet_NaN());
  worker->ExpectAck(worker->Send(message));
  EXPECT_EQ(GetJob("run").attempts(0).exit_reason(), v1::EXIT_NONFINITE);
}

TEST_F(AttemptEndsTest, AGroupThatWasStartedAnewHasLostItsAttempt) {
  auto first = Attach("a1");
  SubmitJob(MakeRecipe());
  first->ExpectAssign();
  auto second = Attach("a2");
  EXPECT_TRUE(WaitUntil([&] { return GetJob("run").attempts(0).outcome() == v1::LOST; }));
  EXPECT_EQ(GetJob("run").attempts(0).exit_reason(), v1::EXIT_LOST);
}

// The coordinator goes away, the group finishes and ends, both come back.
TEST_F(AttemptEndsTest, WhatAnEarlierStartLeftCountsAsItsOwnAndCostsNoRestart) {
  auto first = Attach("a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = first->ExpectAssign();
  first->Break();
  Restart();
  SubmitJob(MakeRecipe("next"));
  auto hands_in = HandIn("a1", assign);
  hands_in->Expect(v1::CoordinatorMessage::kWelcome);
  hands_in->ExpectAck(hands_in->Send(CheckpointMessage(assign, 100)));
  hands_in->ExpectAck(hands_in->Send(ResultMessage(assign, v1::COMPLETED)));
  const v1::Job done = GetJob("run");
  EXPECT_EQ(done.state(), v1::SUCCEEDED);
  EXPECT_EQ(done.attempts_size(), 1);
  EXPECT_EQ(done.restarts(), 0);
  EXPECT_EQ(Workers().groups_size(), 0) << "it is no group that works";
  hands_in->Leave();
  EXPECT_FALSE(hands_in->Has(v1::CoordinatorMessage::kAssign));
  EXPECT_EQ(GetJob("next").state(), v1::QUEUED);
  auto second = Attach("a2");
  EXPECT_EQ(second->ExpectAssign().job_id(), GetJob("next").id());
  EXPECT_EQ(GetJob("next").attempts_size(), 1);
}

TEST_F(AttemptEndsTest, WhatAnEarlierStartLeftOfAnAttemptThatIsOverChangesNothing) {
  auto first = Attach("a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = first->ExpectAssign();
  auto second = Attach("a2");
  ASSERT_EQ(second->ExpectAssign().epoch(), 2);
  auto hands_in = HandIn("a1", assign);
  EXPECT_TRUE(hands_in->Expect(v1::CoordinatorMessage::kRefused).has_refused());
  EXPECT_EQ(GetJob("run").state(), v1::RUNNING);
  EXPECT_EQ(GetJob("run").attempts_size(), 2);
}

}  // namespace
}  // namespace ridgeline::test
