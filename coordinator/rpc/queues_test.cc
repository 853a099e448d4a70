// SPDX-License-Identifier: Apache-2.0
// Queues, pauses, priorities and draining groups over real streams: what people ask for reaches the worker groups.
#include <gmock/gmock.h>

#include "coordinator/rpc/test_cluster.h"

namespace ridgeline::test {
namespace {

using testing::HasSubstr;

class QueuesOverStreamsTest : public ClusterTest {
 protected:
  grpc::Status Change(const v1::ChangeJobRequest& request) {
    v1::Job job;
    return Call(&v1::Coordinator::Stub::ChangeJob, request, &job);
  }
  grpc::Status Pause(const std::string& job, bool paused) {
    v1::ChangeJobRequest request;
    request.set_job(job);
    request.set_paused(paused);
    return Change(request);
  }
  grpc::Status SetQueue(const std::string& name, double weight, v1::Queue* queue) {
    v1::SetQueueRequest request;
    request.set_name(name);
    request.set_weight(weight);
    return Call(&v1::Coordinator::Stub::SetQueue, request, queue);
  }
  grpc::Status Drain(const std::string& group_id, bool undo, v1::WorkerGroup* group) {
    v1::DrainWorkerRequest request;
    request.set_group_id(group_id);
    request.set_undo(undo);
    return Call(&v1::Coordinator::Stub::DrainWorker, request, group);
  }
};

TEST_F(QueuesOverStreamsTest, APausedJobCommitsItsCheckpointAndGoesOnFromItOnTheSameStream) {
  TestWorker worker(server_->address(), "a", "a1");
  const v1::Job job = SubmitJob(MakeRecipe());
  const v1::Assign assign = worker.ExpectAssign();
  ASSERT_TRUE(Pause(job.id(), true).ok());
  const v1::PreemptAttempt preempt = worker.Expect(v1::CoordinatorMessage::kPreempt).preempt();
  EXPECT_EQ(preempt.epoch(), assign.epoch());
  EXPECT_EQ(preempt.reason(), "paused on request");
  worker.Send(CheckpointMessage(assign, 20));
  worker.Send(ResultMessage(assign, v1::PREEMPTED));
  ASSERT_TRUE(WaitForState(job.id(), v1::PAUSED));
  EXPECT_TRUE(WaitForGroupState("a", v1::IDLE));
  EXPECT_FALSE(worker.Has(v1::CoordinatorMessage::kAssign));
  ASSERT_TRUE(Pause(job.id(), false).ok());
  EXPECT_EQ(worker.ExpectAssign().resume_from().step(), 20);
  EXPECT_EQ(GetJob(job.id()).restarts(), 0);
}

TEST_F(QueuesOverStreamsTest, ARequestToEndOutlivesARestart) {
  v1::Assign assign;
  {
    TestWorker worker(server_->address(), "a", "a1");
    SubmitJob(MakeRecipe());
    assign = worker.ExpectAssign();
  }
  ASSERT_TRUE(Pause(assign.job_id(), true).ok());
  Restart();
  TestWorker worker(server_->address(), "a", "a1", 2, assign.job_id(), assign.epoch());
  EXPECT_EQ(worker.Expect(v1::CoordinatorMessage::kPreempt).preempt().job_id(), assign.job_id());
}

// After a restart the result may come before the coordinator has asked again, and it may come twice.
TEST_F(QueuesOverStreamsTest, AGroupThatEndedAnAttemptOnRequestGetsTheNextOneWhateverHappenedInBetween) {
  v1::Assign assign;
  {
    TestWorker worker(server_->address(), "a", "a1");
    SubmitJob(MakeRecipe());
    assign = worker.ExpectAssign();
    ASSERT_TRUE(Pause(assign.job_id(), true).ok());
    worker.Expect(v1::CoordinatorMessage::kPreempt);
  }
  Restart();
  TestWorker worker(server_->address(), "a", "a1");
  const v1::WorkerMessage result = ResultMessage(assign, v1::PREEMPTED);
  const int64_t sequence = worker.Send(result);
  worker.ExpectAck(sequence);
  worker.SendAgain(result, sequence);
  worker.ExpectAck(sequence);
  ASSERT_TRUE(Pause(assign.job_id(), false).ok());
  EXPECT_EQ(worker.ExpectAssign().job_id(), assign.job_id());
}

TEST_F(QueuesOverStreamsTest, AJobOfMorePriorityGetsTheGroupOfTheOneThatMakesRoom) {
  TestWorker worker(server_->address(), "a", "a1");
  const v1::Job patient = SubmitJob(MakeRecipe("patient"));
  const v1::Assign first = worker.ExpectAssign();
  v1::Recipe recipe = MakeRecipe("urgent");
  recipe.set_priority(5);
  const v1::Job urgent = SubmitJob(recipe);
  worker.Expect(v1::CoordinatorMessage::kPreempt);
  EXPECT_THAT(GetJob(patient.id()).reason(), HasSubstr("makes room for " + urgent.id()));
  worker.Send(ResultMessage(first, v1::PREEMPTED));
  EXPECT_EQ(worker.ExpectAssign().job_id(), urgent.id());
  const v1::Job waits = GetJob(patient.id());
  EXPECT_EQ(waits.state(), v1::QUEUED);
  EXPECT_EQ(waits.attempts(0).preempt_reason(), "makes room for " + urgent.id() + ", of priority 5");
  EXPECT_THAT(waits.wait().text(), HasSubstr("waits for one of 1 fitting worker group"));
}

// A group that does not do what it is asked to loses its attempt, and gets no other before it says that it is free.
class DeafGroupTest : public QueuesOverStreamsTest {
 protected:
  void SetUp() override {
    options_.answer_grace_ms = 200;
    Restart();
  }
};

TEST_F(DeafGroupTest, DoesNotHoldUpWhatAnAttemptMakesRoomFor) {
  TestWorker deaf(server_->address(), "deaf", "d1");
  const v1::Job job = SubmitJob(MakeRecipe());
  const v1::Assign first = deaf.ExpectAssign();
  ASSERT_TRUE(Pause(job.id(), true).ok());
  deaf.Expect(v1::CoordinatorMessage::kPreempt);
  ASSERT_TRUE(WaitForState(job.id(), v1::PAUSED));
  EXPECT_THAT(GetJob(job.id()).attempts(0).detail(), HasSubstr("does not answer"));
  EXPECT_EQ(deaf.Expect(v1::CoordinatorMessage::kCancel).cancel().epoch(), first.epoch());
  ASSERT_TRUE(Pause(job.id(), false).ok());
  TestWorker other(server_->address(), "other", "o1");
  EXPECT_EQ(other.ExpectAssign().epoch(), first.epoch() + 1);
  EXPECT_FALSE(deaf.Has(v1::CoordinatorMessage::kAssign));
  EXPECT_EQ(GetJob(job.id()).restarts(), 0);
}

TEST_F(DeafGroupTest, DoesNotKeepAJobFromBeingCancelled) {
  TestWorker deaf(server_->address(), "deaf", "d1");
  const v1::Job job = SubmitJob(MakeRecipe());
  deaf.ExpectAssign();
  v1::CancelJobRequest request;
  request.set_job(job.id());
  v1::Job cancelled;
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::CancelJob, request, &cancelled).ok());
  ASSERT_TRUE(WaitForState(job.id(), v1::CANCELLED));
}

TEST_F(QueuesOverStreamsTest, AUsedUpTimeLimitEndsTheJobWithItsReason) {
  TestWorker worker(server_->address(), "a", "a1");
  v1::Recipe recipe = MakeRecipe();
  recipe.mutable_resources()->set_time_limit(1);
  const v1::Job job = SubmitJob(recipe);
  const v1::Assign assign = worker.ExpectAssign();
  clock_.JumpWall(3'600'000);
  worker.Expect(v1::CoordinatorMessage::kPreempt);
  worker.Send(ResultMessage(assign, v1::PREEMPTED));
  ASSERT_TRUE(WaitForState(job.id(), v1::FAILED));
  EXPECT_EQ(GetJob(job.id()).attempts(0).exit_reason(), v1::EXIT_TIME_LIMIT);
}

TEST_F(QueuesOverStreamsTest, QueuesAreMadeAndListedAndJobsForOthersRefused) {
  v1::Queue queue;
  v1::SubmitJobResponse response;
  v1::Recipe recipe = MakeRecipe();
  recipe.set_queue("large");
  const grpc::Status refused = Submit(recipe, "", &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("there are: default"));
  ASSERT_TRUE(SetQueue("large", 3, &queue).ok());
  EXPECT_EQ(queue.weight(), 3);
  EXPECT_EQ(queue.period_hours(), 24);
  EXPECT_EQ(SetQueue("no name", 3, &queue).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(SetQueue("large", -3, &queue).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(SubmitJob(recipe).queue(), "large");
  Restart();
  v1::ListQueuesResponse queues;
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListQueues, v1::ListQueuesRequest(), &queues).ok());
  ASSERT_EQ(queues.queues_size(), 2);
  EXPECT_EQ(queues.queues(0).name(), "default");
  EXPECT_EQ(queues.queues(1).queued_jobs(), 1);
  EXPECT_EQ(queues.queues(1).fair_share(), 1);
}

TEST_F(QueuesOverStreamsTest, ADrainingGroupFinishesAndGetsNoFurtherJob) {
  TestWorker worker(server_->address(), "a", "a1");
  SubmitJob(MakeRecipe("first"));
  const v1::Assign assign = worker.ExpectAssign();
  v1::WorkerGroup group;
  ASSERT_TRUE(Drain("a", false, &group).ok());
  EXPECT_TRUE(group.draining());
  EXPECT_EQ(group.job_id(), assign.job_id());
  const v1::Job second = SubmitJob(MakeRecipe("second"));
  worker.Send(ResultMessage(assign, v1::COMPLETED));
  ASSERT_TRUE(WaitForState(assign.job_id(), v1::SUCCEEDED));
  EXPECT_TRUE(WaitUntil([&] { return GetJob(second.id()).reason().find("draining") != std::string::npos; }));
  EXPECT_FALSE(worker.Has(v1::CoordinatorMessage::kAssign));
  ASSERT_TRUE(Drain("a", true, &group).ok());
  EXPECT_EQ(worker.ExpectAssign().job_id(), second.id());
  EXPECT_EQ(Drain("b", false, &group).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(QueuesOverStreamsTest, PrioritiesAndLabelsAreHeldToARecipesRules) {
  const v1::Job job = SubmitJob(MakeRecipe());
  v1::ChangeJobRequest request;
  request.set_job(job.id());
  request.set_priority(1'001);
  EXPECT_EQ(Change(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_priority(-7);
  (*request.mutable_labels())["a b"] = "c";
  EXPECT_EQ(Change(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.clear_labels();
  (*request.mutable_labels())["study"] = "demo";
  ASSERT_TRUE(Change(request).ok());
  EXPECT_EQ(GetJob(job.id()).priority(), -7);
  EXPECT_EQ(GetJob(job.id()).labels().at("study"), "demo");
  ASSERT_TRUE(Cancel(job.id()).ok());
  EXPECT_EQ(Change(request).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

}  // namespace
}  // namespace ridgeline::test
