// SPDX-License-Identifier: Apache-2.0
// Streams that people follow: hundreds of them, some of which nobody reads, cost no threads and hold up no training.
#include <gmock/gmock.h>

#include <fstream>

#include "coordinator/rpc/test_cluster.h"

namespace ridgeline::test {
namespace {

using testing::ElementsAre;

constexpr int kWatchers = 250, kStuck = 50;
constexpr int kUpdates = 60;

int64_t ThreadsOfThisProcess() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Threads:", 0) == 0) return std::stoll(line.substr(8));
  }
  return -1;
}

// One WatchJob call; nothing is read but by Read.
class Watcher {
 public:
  Watcher(v1::Coordinator::Stub& stub, const std::string& job) {
    request_.set_job(job);
    stream_ = stub.WatchJob(&context_, request_);
  }
  ~Watcher() { context_.TryCancel(); }
  bool Read(v1::Job* job) { return stream_->Read(job); }
  grpc::Status Finish() { return stream_->Finish(); }

 private:
  v1::WatchJobRequest request_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::Job>> stream_;
};

class StreamsTest : public ClusterTest {
 protected:
  // Of a client that takes 64 KiB of a stream that it does not read, and no more.
  std::unique_ptr<v1::Coordinator::Stub> StubOfSmallWindow() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 64 << 10);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::Coordinator::NewStub(
        grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(), arguments));
  }
  std::vector<std::string> Lines(const v1::StreamLogsRequest& request, std::vector<int64_t>* cursors = nullptr) {
    grpc::ClientContext context;
    const auto stream = stub_->StreamLogs(&context, request);
    std::vector<std::string> texts;
    for (v1::LogLine line; stream->Read(&line);) {
      texts.push_back(line.text());
      if (cursors != nullptr) cursors->push_back(line.cursor());
    }
    EXPECT_TRUE(stream->Finish().ok());
    return texts;
  }
};

TEST_F(StreamsTest, ManyWatchersSomeOfThemStuckCostNoThreadsAndHoldUpNoTraining) {
  TestWorker worker(server_->address(), "a", "a1");
  v1::Recipe recipe = MakeRecipe();
  for (int i = 0; i < 60; ++i) (*recipe.mutable_labels())["label-" + std::to_string(i)] = std::string(250, 'x');
  const std::string id = SubmitJob(recipe).id();
  const v1::Assign assign = worker.ExpectAssign();
  const int64_t threads_before = ThreadsOfThisProcess();
  std::vector<std::unique_ptr<Watcher>> watchers, stuck;
  for (int i = 0; i < kWatchers; ++i) watchers.push_back(std::make_unique<Watcher>(*stub_, id));
  const auto stuck_stub = StubOfSmallWindow();
  for (int i = 0; i < kStuck; ++i) stuck.push_back(std::make_unique<Watcher>(*stuck_stub, id));
  v1::Job job;
  for (const auto& watcher : watchers) ASSERT_TRUE(watcher->Read(&job));
  EXPECT_LT(ThreadsOfThisProcess(), threads_before + 50);

  for (int step = 1; step <= kUpdates; ++step) {
    worker.ExpectAck(worker.Send(MetricsMessage(assign, step, step)));
    while (watchers[0]->Read(&job) && job.progress().step() < step) {
    }
  }
  worker.ExpectAck(worker.Send(ResultMessage(assign, v1::COMPLETED)));
  for (const auto& watcher : watchers) {
    while (watcher->Read(&job)) {
    }
    EXPECT_EQ(job.state(), v1::SUCCEEDED);
    EXPECT_TRUE(watcher->Finish().ok());
  }
  int states = 0;
  while (stuck[0]->Read(&job)) ++states;
  EXPECT_EQ(job.state(), v1::SUCCEEDED);
  EXPECT_LT(states, kUpdates) << "what nobody read was kept";
}

TEST_F(StreamsTest, LogsGoOnBehindACursor) {
  TestWorker worker(server_->address(), "a", "a1");
  const std::string id = SubmitJob(MakeRecipe()).id();
  const v1::Assign assign = worker.ExpectAssign();
  v1::WorkerMessage two = LogMessage(assign, "first");
  two.mutable_logs()->add_lines()->set_text("second");
  worker.ExpectAck(worker.Send(two));
  worker.ExpectAck(worker.Send(LogMessage(assign, "third")));
  v1::StreamLogsRequest request;
  request.set_job(id);
  std::vector<int64_t> cursors;
  EXPECT_THAT(Lines(request, &cursors), ElementsAre("first", "second", "third"));
  request.set_after_cursor(cursors[0]);
  EXPECT_THAT(Lines(request), ElementsAre("second", "third"));
  request.set_after_cursor(cursors[1]);
  EXPECT_THAT(Lines(request), ElementsAre("third"));
  request.set_after_cursor(cursors[2]);
  EXPECT_THAT(Lines(request), testing::IsEmpty());
}

TEST_F(StreamsTest, StreamsEndWhenTheCoordinatorStops) {
  SubmitJob(MakeRecipe());
  Watcher watcher(*stub_, "job-1");
  v1::Job job;
  ASSERT_TRUE(watcher.Read(&job));
  server_.reset();
  while (watcher.Read(&job)) {
  }
  EXPECT_EQ(watcher.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(StreamsTest, BeyondTheLimitStreamsAreRefusedUntilOthersEnd) {
  options_.max_streams = 2;
  Restart();
  const std::string job_id = SubmitJob(MakeRecipe()).id();
  v1::Job job;
  auto first = std::make_unique<Watcher>(*stub_, job_id);
  Watcher second(*stub_, job_id);
  ASSERT_TRUE(first->Read(&job));
  ASSERT_TRUE(second.Read(&job));
  Watcher third(*stub_, job_id);
  EXPECT_FALSE(third.Read(&job));
  const grpc::Status refused = third.Finish();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), testing::HasSubstr("2 streams"));
  first.reset();
  EXPECT_TRUE(WaitUntil([&] { return Watcher(*stub_, job_id).Read(&job); }));
}

TEST_F(StreamsTest, StreamOfNoJobIsRefused) {
  Watcher watcher(*stub_, "job-9");
  v1::Job job;
  EXPECT_FALSE(watcher.Read(&job));
  EXPECT_EQ(watcher.Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace ridgeline::test
