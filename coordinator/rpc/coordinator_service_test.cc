// SPDX-License-Identifier: Apache-2.0
// The Coordinator service over real connections: answers, errors, streams, limits.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include "coordinator/control/jobs_of_recipe.h"
#include "coordinator/rpc/test_cluster.h"

namespace ridgeline::test {
namespace {

using testing::HasSubstr;

class CoordinatorServiceTest : public ClusterTest {
 protected:
  static v1::Recipe MakeSweep(const std::string& name) {
    v1::Recipe recipe = MakeRecipe(name);
    recipe.mutable_sweep()->set_method("grid");
    v1::SweepValues& rates = (*recipe.mutable_sweep()->mutable_parameters())["optimizer.lr"];
    rates.add_values("1e-3");
    rates.add_values("3e-3");
    return recipe;
  }
  // A call whose request bytes are whatever we like.
  grpc::Status RawCall(const std::string& method, const std::string& body) {
    grpc::GenericStub stub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const grpc::Slice slice(body);
    grpc::ByteBuffer request(&slice, 1), response;
    auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
    grpc::Status status;
    call->StartCall();
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return status;
  }
};

TEST_F(CoordinatorServiceTest, RepeatedRequestIdAnswersWithTheFirstJob) {
  v1::SubmitJobResponse first, second;
  ASSERT_TRUE(Submit(MakeRecipe(), "r1", &first).ok());
  ASSERT_TRUE(Submit(MakeRecipe(), "r1", &second).ok());
  EXPECT_FALSE(first.existed());
  EXPECT_TRUE(second.existed());
  EXPECT_EQ(first.job().id(), second.job().id());
  Restart();
  ASSERT_TRUE(Submit(MakeRecipe(), "r1", &second).ok());
  EXPECT_EQ(first.job().id(), second.job().id());
  const grpc::Status other = Submit(MakeRecipe("other"), "r1", &second);
  EXPECT_EQ(other.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(other.error_message(), testing::AllOf(HasSubstr("r1"), HasSubstr("job-1"), HasSubstr("--request-id")));
}

TEST_F(CoordinatorServiceTest, BadRecipeIsRefusedWithEveryProblem) {
  v1::Recipe recipe = MakeRecipe();
  recipe.clear_dataset();
  recipe.mutable_training()->set_steps(-5);
  recipe.mutable_quant()->set_estimator("rigde");
  v1::SubmitJobResponse response;
  const grpc::Status status = Submit(recipe, "", &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              testing::AllOf(HasSubstr("dataset"), HasSubstr("training.steps"), HasSubstr("rigde")));
  v1::ListJobsResponse jobs;
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListJobs, v1::ListJobsRequest(), &jobs).ok());
  EXPECT_EQ(jobs.jobs_size(), 0) << "nothing half-written";
}

TEST_F(CoordinatorServiceTest, SweepQueuesItsChildrenUnderOneParent) {
  v1::SubmitJobResponse response, again;
  ASSERT_TRUE(Submit(MakeSweep("rates"), "s1", &response).ok());
  ASSERT_EQ(response.children_size(), 2);
  EXPECT_EQ(response.job().child_ids_size(), 2);
  EXPECT_EQ(response.children(0).parent_id(), response.job().id());
  EXPECT_FALSE(response.children(1).has_recipe()) << "a thousand of them would be no answer";
  EXPECT_EQ(GetJob(response.children(1).id()).recipe().optimizer().lr(), 3e-3);
  ASSERT_TRUE(Submit(MakeSweep("rates"), "s1", &again).ok());
  EXPECT_TRUE(again.existed());
  EXPECT_EQ(again.children_size(), 2);

  v1::ListJobsRequest request;
  v1::ListJobsResponse children;
  request.set_parent_id("rates");
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListJobs, request, &children).ok());
  EXPECT_EQ(children.jobs_size(), 2);
  EXPECT_TRUE(Cancel(response.job().id()).ok());
  EXPECT_EQ(GetJob(response.job().id()).state(), v1::CANCELLED);
  EXPECT_TRUE(Retry(response.job().id()).ok());
  EXPECT_EQ(GetJob(response.children(0).id()).state(), v1::QUEUED);
}

TEST_F(CoordinatorServiceTest, ListSelectsByStateAndLabel) {
  v1::Recipe labelled = MakeRecipe("labelled");
  (*labelled.mutable_labels())["team"] = "blue";
  SubmitJob(labelled);
  SubmitJob(MakeRecipe("plain"));
  ASSERT_TRUE(Cancel("plain").ok());
  v1::ListJobsRequest request;
  v1::ListJobsResponse response;
  (*request.mutable_selector())["team"] = "blue";
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListJobs, request, &response).ok());
  ASSERT_EQ(response.jobs_size(), 1);
  EXPECT_EQ(response.jobs(0).name(), "labelled");
  request.clear_selector();
  request.add_states(v1::CANCELLED);
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListJobs, request, &response).ok());
  ASSERT_EQ(response.jobs_size(), 1);
  EXPECT_EQ(response.jobs(0).name(), "plain");
}

TEST_F(CoordinatorServiceTest, ErrorsNameWhatWasAskedForAndARemedy) {
  v1::Job job;
  const grpc::Status missing = Get("no-such-run", &job);
  EXPECT_EQ(missing.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(missing.error_message(), testing::AllOf(HasSubstr("no-such-run"), HasSubstr("ridgeline list")));
  SubmitJob(MakeRecipe());
  EXPECT_EQ(Retry("run").error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  ASSERT_TRUE(Cancel("run").ok());
  EXPECT_EQ(GetJob("run").state(), v1::CANCELLED);
  EXPECT_EQ(Cancel("run").error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_TRUE(Retry("run").ok());
  EXPECT_EQ(GetJob("run").state(), v1::QUEUED);
}

TEST_F(CoordinatorServiceTest, QueuedJobSaysWhyItWaits) {
  SubmitJob(MakeRecipe("wide", /*ranks=*/4));
  TestWorker worker(server_->address(), "a", "a1", /*ranks=*/2);
  EXPECT_TRUE(WaitUntil([&] {
    return GetJob("wide").reason() ==
           "no worker group with 4 ranks is connected; `ridgeline worker list` shows the groups";
  })) << GetJob("wide").reason();
}

TEST_F(CoordinatorServiceTest, AJobThatAsksForWhatNoGroupHasIsAcceptedAndWaitsForIt) {
  constexpr int64_t kGiB = int64_t{1} << 30;
  TestWorker on_cpus(server_->address(), "c", "c1", /*ranks=*/2, "", 0,
                     {MakeDevice("cpu", kGiB), MakeDevice("cpu", 2 * kGiB)});
  v1::Recipe recipe = MakeRecipe("wide", /*ranks=*/2);
  recipe.mutable_resources()->set_device("cuda");
  recipe.mutable_resources()->set_memory(80);
  SubmitJob(recipe);
  const auto waits_because = [&](const char* reason) {
    return WaitUntil([&] { return GetJob("wide").reason().find(reason) != std::string::npos; });
  };
  EXPECT_TRUE(waits_because("no group has GPUs: 1 group of cpu is connected")) << GetJob("wide").reason();
  const v1::Device small = MakeDevice("cuda", 79 * kGiB), large = MakeDevice("cuda", 139 * kGiB);
  TestWorker uneven(server_->address(), "u", "u1", /*ranks=*/2, "", 0, {large, small});
  EXPECT_TRUE(waits_because("has 80 GiB for each: the most is 79 GiB, in group 'u'")) << GetJob("wide").reason();
  TestWorker even(server_->address(), "e", "e1", /*ranks=*/2, "", 0, {large, large});
  EXPECT_EQ(even.ExpectAssign().recipe().name(), "wide");
}

TEST_F(CoordinatorServiceTest, WatchShowsEachStateAndEndsWithTheJob) {
  TestWorker worker(server_->address(), "a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker.ExpectAssign();
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_job("run");
  auto stream = stub_->WatchJob(&context, request);
  v1::Job job;
  ASSERT_TRUE(stream->Read(&job));
  EXPECT_EQ(job.state(), v1::RUNNING);
  worker.Send(MetricsMessage(assign, 1, 30));
  while (job.progress().step() < 30) ASSERT_TRUE(stream->Read(&job));
  worker.Send(ResultMessage(assign, v1::COMPLETED));
  while (stream->Read(&job)) {
  }
  EXPECT_EQ(job.state(), v1::SUCCEEDED);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(CoordinatorServiceTest, StuckAndVanishedWatchersHoldUpNothing) {
  SubmitJob(MakeRecipe());
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::Job>>> streams;
  v1::WatchJobRequest request;
  request.set_job("run");
  for (int i = 0; i < 40; ++i) {  // None of them ever reads; half of them go away.
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(stub_->WatchJob(contexts.back().get(), request));
    if (i % 2 == 0) contexts.back()->TryCancel();
  }
  TestWorker worker(server_->address(), "a", "a1");
  const v1::Assign assign = worker.ExpectAssign();
  worker.ExpectAck(worker.Send(MetricsMessage(assign, 1, 50)));
  EXPECT_EQ(GetJob("run").progress().step(), 50);
  server_.reset();  // Returns although streams are open.
  v1::Job job;
  while (streams.back()->Read(&job)) {
  }
  EXPECT_EQ(streams.back()->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(CoordinatorServiceTest, LogsFollowUntilTheJobEnds) {
  TestWorker worker(server_->address(), "a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = worker.ExpectAssign();
  worker.Send(LogMessage(assign, "first"));
  grpc::ClientContext context;
  v1::StreamLogsRequest request;
  request.set_job("run");
  request.set_follow(true);
  auto stream = stub_->StreamLogs(&context, request);
  v1::LogLine line;
  ASSERT_TRUE(stream->Read(&line));
  EXPECT_EQ(line.text(), "first");
  worker.Send(LogMessage(assign, "second"));
  ASSERT_TRUE(stream->Read(&line));
  EXPECT_EQ(line.text(), "second");
  worker.Send(LogMessage(assign, "last"));
  worker.Send(ResultMessage(assign, v1::COMPLETED));
  ASSERT_TRUE(stream->Read(&line));
  EXPECT_EQ(line.text(), "last");
  EXPECT_FALSE(stream->Read(&line));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(CoordinatorServiceTest, PointsCarryTheFrontierOverWhatWasAskedFor) {
  TestWorker worker(server_->address(), "a", "a1");
  for (const double accuracy : {0.3, 0.5}) {
    SubmitJob(MakeRecipe());
    const v1::Assign assign = worker.ExpectAssign();
    worker.ExpectAck(worker.Send(ResultMessage(assign, v1::COMPLETED, accuracy)));
  }
  v1::ListPointsRequest request;
  v1::ListPointsResponse response;
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListPoints, request, &response).ok());
  ASSERT_EQ(response.points_size(), 2);
  EXPECT_FALSE(response.points(0).pareto()) << "as large and less accurate";
  EXPECT_TRUE(response.points(1).pareto());
  request.set_job("job-1");
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListPoints, request, &response).ok());
  ASSERT_EQ(response.points_size(), 1);
  EXPECT_TRUE(response.points(0).pareto());
}

TEST_F(CoordinatorServiceTest, HealthAndReflectionAnswer) {
  EXPECT_TRUE(RawCall("/grpc.health.v1.Health/Check", "").ok());
  EXPECT_TRUE(RawCall("/grpc.health.v1.Health/Check", "\x0a\x18ridgeline.v1.Coordinator").ok());
  EXPECT_TRUE(RawCall("/grpc.health.v1.Health/Check", "\x0a\x1aridgeline.v1.WorkerGateway").ok());
  EXPECT_EQ(RawCall("/grpc.health.v1.Health/Check", "\x0a\x04none").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_NE(RawCall("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "").error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(CoordinatorServiceTest, GarbageAndOversizedRequestsAreRefused) {
  const std::string submit = "/ridgeline.v1.Coordinator/SubmitJob";
  EXPECT_FALSE(RawCall(submit, "\xff\xff\xff garbage").ok());
  EXPECT_EQ(RawCall(submit, std::string(5 << 20, 'x')).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(SubmitJob(MakeRecipe()).id(), "job-1") << "nothing half-written";
}

TEST_F(CoordinatorServiceTest, OneCoordinatorPerFolderAndPort) {
  const absl::Status folder = CoordinatorServer::Start(options_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(folder));
  EXPECT_THAT(std::string(folder.message()), HasSubstr("another coordinator"));
  ServerOptions other = options_;
  other.state_dir = (folder_ / "other").string();
  other.listen = server_->address();
  const absl::Status port = CoordinatorServer::Start(other).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(port)) << port;
  EXPECT_THAT(std::string(port.message()), HasSubstr(server_->address()));
}

TEST_F(CoordinatorServiceTest, AddressBeyondLoopbackNeedsInsecure) {
  ServerOptions open = options_;
  open.state_dir = (folder_ / "open").string();
  open.listen = "0.0.0.0:0";
  const absl::Status refused = CoordinatorServer::Start(open).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--insecure"));
  open.insecure = true;
  EXPECT_TRUE(CoordinatorServer::Start(open).ok());
}

TEST_F(CoordinatorServiceTest, SweepOfALargeRecipeTakesItsRoomOnce) {
  v1::Recipe sweep = MakeSweep("large");
  for (int i = 0; i < 1000; ++i) sweep.mutable_quant()->add_skip(std::string(195, 'x') + std::to_string(i));
  v1::SweepValues& seeds = (*sweep.mutable_sweep()->mutable_parameters())["training.seed"];
  for (int i = 0; i < 150; ++i) seeds.add_values(std::to_string(i));
  (*sweep.mutable_labels())["team"] = "blue";
  v1::SubmitJobResponse response;
  const grpc::Status status = Submit(sweep, "once", &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.children_size(), 300);
  const size_t before = server_->journal().SizeBytes();
  EXPECT_LT(before, size_t{4} << 20) << "300 copies of 200 kB would be 60 MB";
  for (int i = 0; i < 2; ++i) {
    const v1::Job last = GetJob(response.children(299).id());
    EXPECT_EQ(last.recipe().quant().skip_size(), 1000);
    EXPECT_EQ(last.recipe().training().seed(), 149);
    EXPECT_EQ(last.recipe().optimizer().lr(), 3e-3);
    EXPECT_EQ(last.labels().at("team"), "blue");
    Restart();
  }
  v1::ListJobsRequest request;
  v1::ListJobsResponse jobs;
  request.set_parent_id("large");
  (*request.mutable_selector())["team"] = "blue";
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListJobs, request, &jobs).ok());
  EXPECT_LT(jobs.jobs_size(), 300) << "with their recipes they would be 60 MB";
  EXPECT_FALSE(jobs.next_page_token().empty());
  request.set_omit_recipes(true);
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListJobs, request, &jobs).ok());
  EXPECT_EQ(jobs.jobs_size(), 300);
  EXPECT_EQ(jobs.jobs(0).progress().steps(), 100);
}

// No valid recipe that fits a request comes near the limit itself today.
TEST_F(CoordinatorServiceTest, SubmitThatWouldAddTooMuchIsRefusedWithTheFigure) {
  v1::Recipe sweep = MakeSweep("heavy");
  v1::SweepValues& seeds = (*sweep.mutable_sweep()->mutable_parameters())["training.seed"];
  for (int i = 0; i < 500; ++i) seeds.add_values(std::to_string(i));
  const absl::Status status = JobsOfRecipe(sweep, /*max_bytes=*/20 << 10).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), testing::AllOf(HasSubstr("20 KiB"), HasSubstr("split it")));
  EXPECT_EQ(JobsOfRecipe(sweep).value().jobs_size(), 1001);
}

}  // namespace
}  // namespace ridgeline::test
