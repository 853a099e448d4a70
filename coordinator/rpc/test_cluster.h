// SPDX-License-Identifier: Apache-2.0
// A real coordinator on port 0 and real worker streams driven by hand, for the cluster tests.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "coordinator/fleet/record_rules.h"
#include "coordinator/rpc/server.h"
#include "recipes/schema_hash.h"
#include "ridgeline/v1/coordinator.grpc.pb.h"
#include "ridgeline/v1/worker.grpc.pb.h"

namespace ridgeline::test {

inline constexpr int kPatienceSeconds = 120;  // Far more than anything here takes; only a failure waits so long.

// The machine's clock, moved forward at will. Thread-safe.
class ShiftedClock : public Clock {
 public:
  int64_t WallUnixMs() const override { return SystemClock().WallUnixMs() + wall_shift_ms_; }
  int64_t MonotonicMs() const override { return SystemClock().MonotonicMs() + monotonic_shift_ms_; }
  void Advance(int64_t ms) {
    wall_shift_ms_ += ms;
    monotonic_shift_ms_ += ms;
  }
  void JumpWall(int64_t ms) { wall_shift_ms_ += ms; }

 private:
  std::atomic<int64_t> wall_shift_ms_ = 0;
  std::atomic<int64_t> monotonic_shift_ms_ = 0;
};

inline bool WaitUntil(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(kPatienceSeconds);
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

inline v1::Recipe MakeRecipe(const std::string& name = "run", int ranks = 1) {
  v1::Recipe recipe;
  recipe.set_name(name);
  recipe.mutable_dataset()->set_path("data/bible");
  recipe.mutable_training()->set_steps(100);
  recipe.mutable_resources()->set_ranks(ranks);
  return recipe;
}

inline v1::Device MakeDevice(const std::string& kind, int64_t memory_bytes) {
  v1::Device device;
  device.set_kind(kind);
  device.set_name(kind == "cuda" ? "NVIDIA H200" : "");
  device.set_memory_bytes(memory_bytes);
  return device;
}

// One worker group's stream. A thread collects what comes down.
class TestWorker {
 public:
  TestWorker(const std::string& address, const std::string& group_id, const std::string& incarnation, int ranks = 2,
             const std::string& job_id = "", int64_t epoch = 0, const std::vector<v1::Device>& devices = {},
             const std::string& schema = RecipeSchemaHash())
      : stub_(v1::WorkerGateway::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))),
        stream_(stub_->Attach(&context_)) {
    v1::WorkerMessage message;
    v1::Hello& hello = *message.mutable_hello();
    hello.set_group_id(group_id);
    hello.set_incarnation(incarnation);
    hello.set_ranks(ranks);
    hello.set_recipe_schema(schema);
    hello.set_job_id(job_id);
    hello.set_epoch(epoch);
    for (const v1::Device& device : devices) *hello.add_devices() = device;
    stream_->Write(message);
    reader_ = std::thread([this] { ReadLoop(); });
  }
  ~TestWorker() { Break(); }

  // As when the network or the process dies.
  void Break() {
    context_.TryCancel();
    if (reader_.joinable()) reader_.join();
  }
  void Leave() {
    stream_->WritesDone();
    if (reader_.joinable()) reader_.join();
  }

  int64_t Send(v1::WorkerMessage message) {
    message.set_sequence(++sequence_);
    stream_->Write(message);
    return sequence_;
  }
  void SendAgain(v1::WorkerMessage message, int64_t sequence) {
    message.set_sequence(sequence);
    stream_->Write(message);
  }
  void Heartbeat(int64_t memory_used_bytes = 0) { Heartbeat(memory_used_bytes, {}); }
  void Heartbeat(int64_t memory_used_bytes, const std::vector<v1::CollectiveCount>& collectives,
                 int64_t device_memory_used_bytes = 0) {
    v1::WorkerMessage message;
    message.mutable_heartbeat()->set_memory_used_bytes(memory_used_bytes);
    message.mutable_heartbeat()->set_device_memory_used_bytes(device_memory_used_bytes);
    for (const v1::CollectiveCount& count : collectives) *message.mutable_heartbeat()->add_collectives() = count;
    stream_->Write(message);
  }

  // Waits for the first message that matches and takes it out.
  v1::CoordinatorMessage Expect(v1::CoordinatorMessage::KindCase kind) {
    v1::CoordinatorMessage found;
    const bool arrived = WaitUntil([&] { return Take(kind, &found); });
    EXPECT_TRUE(arrived) << "no message of kind " << kind;
    return found;
  }
  v1::Assign ExpectAssign() { return Expect(v1::CoordinatorMessage::kAssign).assign(); }
  void ExpectAck(int64_t sequence) { EXPECT_EQ(Expect(v1::CoordinatorMessage::kAck).ack().sequence(), sequence); }
  // Right now, without waiting.
  bool Has(v1::CoordinatorMessage::KindCase kind) {
    absl::MutexLock lock(&mutex_);
    for (const v1::CoordinatorMessage& message : inbox_) {
      if (message.kind_case() == kind) return true;
    }
    return false;
  }
  bool ended() const { return ended_; }

 private:
  void ReadLoop() {
    v1::CoordinatorMessage message;
    while (stream_->Read(&message)) {
      absl::MutexLock lock(&mutex_);
      inbox_.push_back(message);
    }
    stream_->Finish();
    ended_ = true;
  }
  bool Take(v1::CoordinatorMessage::KindCase kind, v1::CoordinatorMessage* found) {
    absl::MutexLock lock(&mutex_);
    for (auto message = inbox_.begin(); message != inbox_.end(); ++message) {
      if (message->kind_case() != kind) continue;
      *found = *message;
      inbox_.erase(message);
      return true;
    }
    return false;
  }

  std::unique_ptr<v1::WorkerGateway::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> stream_;
  int64_t sequence_ = 0;
  absl::Mutex mutex_;
  std::deque<v1::CoordinatorMessage> inbox_;
  std::atomic<bool> ended_ = false;
  std::thread reader_;
};

inline v1::WorkerMessage ResultMessage(const v1::Assign& assign, v1::AttemptOutcome outcome, double accuracy = 0.4) {
  v1::WorkerMessage message;
  v1::AttemptResult& result = *message.mutable_result();
  result.set_job_id(assign.job_id());
  result.set_epoch(assign.epoch());
  result.set_outcome(outcome);
  result.set_detail("as told");
  if (outcome != v1::COMPLETED) return message;
  v1::FrontierPoint& point = *result.mutable_point();
  point.set_model("gpt-nano");
  point.set_dataset("bible");
  point.set_estimator("ridge");
  point.set_weight_format("int1");
  point.set_weight_scheme("affine");
  point.set_activation_format("int1");
  point.set_loss(2.5);
  point.set_accuracy(accuracy);
  point.set_storage_bytes(1000);
  point.set_energy_proxy(1);
  return message;
}

inline v1::WorkerMessage CheckpointMessage(const v1::Assign& assign, int64_t step) {
  v1::WorkerMessage message;
  message.mutable_checkpoint()->set_job_id(assign.job_id());
  message.mutable_checkpoint()->set_epoch(assign.epoch());
  v1::Checkpoint& checkpoint = *message.mutable_checkpoint()->mutable_checkpoint();
  checkpoint.set_step(step);
  checkpoint.set_path(CheckpointPath(assign.job_id(), step));
  checkpoint.set_sha256(std::string(64, 'a'));
  checkpoint.set_time_unix_ms(1'700'000'000'000);
  return message;
}

inline v1::WorkerMessage MetricsMessage(const v1::Assign& assign, int64_t first_step, int64_t last_step) {
  v1::WorkerMessage message;
  message.mutable_metrics()->set_job_id(assign.job_id());
  message.mutable_metrics()->set_epoch(assign.epoch());
  for (int64_t step = first_step; step <= last_step; ++step) {
    v1::MetricPoint& point = *message.mutable_metrics()->add_points();
    point.set_step(step);
    point.set_time_unix_ms(SystemClock().WallUnixMs());
    point.set_tokens(step * 1536);
    point.set_train_loss(3.0);
    point.set_validation_loss(3.1);
    point.set_second_loss(3.4);
    point.set_second_accuracy(0.3);
    point.set_distill_divergence(0.25);
    point.set_grad_norm(0.7);
    point.set_tokens_per_second(15'360);
    point.set_step_seconds(0.1);
    point.set_forward_backward_seconds(0.07);
    point.set_collective_seconds(0.01);
    point.set_optimizer_seconds(0.02);
    point.set_quant_error_ratio(0.3);
  }
  return message;
}

inline v1::CollectiveCount MakeCount(const std::string& operation, int64_t calls, int64_t bytes, double seconds) {
  v1::CollectiveCount count;
  count.set_operation(operation);
  count.set_calls(calls);
  count.set_bytes(bytes);
  count.set_seconds(seconds);
  return count;
}

inline v1::WorkerMessage LogMessage(const v1::Assign& assign, const std::string& text) {
  v1::WorkerMessage message;
  message.mutable_logs()->set_job_id(assign.job_id());
  message.mutable_logs()->set_epoch(assign.epoch());
  message.mutable_logs()->add_lines()->set_text(text);
  return message;
}

// A coordinator in this process, in a folder of its own.
class ClusterTest : public testing::Test {
 protected:
  ClusterTest() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() / ("ridgeline_" + std::string(info->test_suite_name()) + "_" +
                                                        info->name() + "_" + std::to_string(getpid()));
    std::filesystem::remove_all(folder_);
    options_.state_dir = folder_.string();
    options_.listen = "127.0.0.1:0";
    options_.metrics = "";  // Its server takes two seconds to stop.
    options_.heartbeat_ms = 50;
    options_.lease_ms = 60'000;  // Tests move the clock; a slow machine must not.
    options_.clock = &clock_;
  }
  ~ClusterTest() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }
  void SetUp() override { Restart(); }

  void Restart() {
    server_.reset();
    auto server = CoordinatorServer::Start(options_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::Coordinator::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  }

  // Every call has a deadline.
  template <typename Response, typename Request, typename Method>
  grpc::Status Call(Method method, const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(kPatienceSeconds));
    return (stub_.get()->*method)(&context, request, response);
  }
  grpc::Status Submit(const v1::Recipe& recipe, const std::string& request_id, v1::SubmitJobResponse* response) {
    v1::SubmitJobRequest request;
    *request.mutable_recipe() = recipe;
    request.set_request_id(request_id);
    return Call(&v1::Coordinator::Stub::SubmitJob, request, response);
  }
  v1::Job SubmitJob(const v1::Recipe& recipe) {
    v1::SubmitJobResponse response;
    const grpc::Status status = Submit(recipe, "", &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.job();
  }
  grpc::Status Get(const std::string& job, v1::Job* response) {
    v1::GetJobRequest request;
    request.set_job(job);
    return Call(&v1::Coordinator::Stub::GetJob, request, response);
  }
  v1::Job GetJob(const std::string& job) {
    v1::Job response;
    EXPECT_TRUE(Get(job, &response).ok());
    return response;
  }
  grpc::Status Cancel(const std::string& job) {
    v1::CancelJobRequest request;
    v1::Job response;
    request.set_job(job);
    return Call(&v1::Coordinator::Stub::CancelJob, request, &response);
  }
  grpc::Status Retry(const std::string& job) {
    v1::RetryJobRequest request;
    v1::Job response;
    request.set_job(job);
    return Call(&v1::Coordinator::Stub::RetryJob, request, &response);
  }
  v1::ListWorkersResponse Workers() {
    v1::ListWorkersResponse response;
    EXPECT_TRUE(Call(&v1::Coordinator::Stub::ListWorkers, v1::ListWorkersRequest(), &response).ok());
    return response;
  }
  bool WaitForState(const std::string& job, v1::JobState state) {
    return WaitUntil([&] { return GetJob(job).state() == state; });
  }
  bool WaitForGroupState(const std::string& group_id, v1::GroupState state) {
    return WaitUntil([&] {
      const v1::ListWorkersResponse workers = Workers();
      for (const v1::WorkerGroup& group : workers.groups()) {
        if (group.id() == group_id) return group.state() == state;
      }
      return false;
    });
  }

  ShiftedClock clock_;
  ServerOptions options_;
  std::filesystem::path folder_;
  std::unique_ptr<CoordinatorServer> server_;
  std::unique_ptr<v1::Coordinator::Stub> stub_;
};

}  // namespace ridgeline::test
