// SPDX-License-Identifier: Apache-2.0
// The real program, killed with -9 again and again, or ended in the middle of what it writes, while clients submit:
// every acknowledged job exists exactly once.
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "common/file.h"
#include "coordinator/rpc/server.h"
#include "ridgeline/v1/coordinator.grpc.pb.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr int kClients = 4;
constexpr int kSubmitsPerClient = 260;  // Together more than the events between two snapshots.
constexpr int kKills = 5;
constexpr int kCrashed = 86;  // Exit status at a failpoint.

// A port that was free a moment ago; the program comes back on the same one after each kill.
std::string FreeAddress(const std::string& folder) {
  ServerOptions options;
  options.state_dir = folder;
  options.listen = "127.0.0.1:0";
  options.metrics = "";
  auto server = CoordinatorServer::Start(options);
  return server.ok() ? (*server)->address() : "";
}

class CrashTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    address_ = FreeAddress((folder_ / "probe").string());
    ASSERT_FALSE(address_.empty());
  }
  void TearDown() override {
    KillProgram();
    fs::remove_all(folder_);
  }

  void StartProgram(const std::string& failpoints = "") {
    pid_ = fork();
    if (pid_ != 0) return;
    if (!failpoints.empty()) setenv("RIDGELINE_FAILPOINTS", failpoints.c_str(), 1);
    const std::string state = (folder_ / "state").string();
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    execl(RIDGELINE_COORDINATOR_BINARY, "ridgeline-coordinator", "--state", state.c_str(), "--listen", address_.c_str(),
          "--metrics", "127.0.0.1:0", nullptr);
    _exit(127);
  }
  void KillProgram() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  void WaitUntilItCrashes() {
    int status = 0;
    ASSERT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kCrashed) << status;
  }

  std::unique_ptr<v1::Coordinator::Stub> Connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1'000);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
    return v1::Coordinator::NewStub(grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments));
  }

  // As the CLI does: the same request id until there is an answer.
  std::string SubmitUntilAcknowledged(v1::Coordinator::Stub& stub, const std::string& request_id) {
    v1::SubmitJobRequest request;
    request.set_request_id(request_id);
    request.mutable_recipe()->set_name(request_id);
    request.mutable_recipe()->mutable_dataset()->set_path("data/bible");
    grpc::Status status;
    for (int attempt = 0; attempt < 2000; ++attempt) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
      context.set_wait_for_ready(true);  // A call that fails at once would never let the connection come about.
      v1::SubmitJobResponse response;
      status = stub.SubmitJob(&context, request, &response);
      if (status.ok()) return response.job().id();
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE &&
          status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) {
        ADD_FAILURE() << status.error_code() << " " << status.error_message();
        return "";
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ADD_FAILURE() << "never acknowledged: " << request_id << ": " << status.error_message();
    return "";
  }

  void RunClient(int client) {
    const auto stub = Connect();
    for (int i = 0; i < kSubmitsPerClient; ++i) {
      const std::string request_id = "client" + std::to_string(client) + "-" + std::to_string(i);
      const std::string job_id = SubmitUntilAcknowledged(*stub, request_id);
      absl::MutexLock lock(&mutex_);
      acknowledged_[request_id] = job_id;
    }
  }
  size_t AcknowledgedCount() {
    absl::MutexLock lock(&mutex_);
    return acknowledged_.size();
  }

  v1::ListJobsResponse ListJobs() {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    v1::ListJobsResponse response;
    const grpc::Status status = Connect()->ListJobs(&context, v1::ListJobsRequest(), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  // With the program as it comes up again.
  void ExpectEveryAcknowledgedJobOnce() {
    KillProgram();
    StartProgram();
    const v1::ListJobsResponse jobs = ListJobs();
    std::map<std::string, std::set<std::string>> ids_by_request;
    for (const v1::Job& job : jobs.jobs()) ids_by_request[job.request_id()].insert(job.id());
    ASSERT_EQ(acknowledged_.size(), static_cast<size_t>(kClients * kSubmitsPerClient));
    for (const auto& [request_id, job_id] : acknowledged_) {
      EXPECT_EQ(ids_by_request[request_id], std::set<std::string>{job_id}) << request_id;
    }
    EXPECT_EQ(ids_by_request.size(), acknowledged_.size()) << "no job that nobody asked for";
  }

  const fs::path folder_ = fs::temp_directory_path() / ("coordinator_crash_test_" + std::to_string(getpid()));
  std::string address_;
  pid_t pid_ = -1;
  absl::Mutex mutex_;
  std::map<std::string, std::string> acknowledged_;
};

TEST_F(CrashTest, EveryAcknowledgedSubmitExistsOnceAfterKills) {
  StartProgram();
  std::vector<std::thread> clients;
  for (int client = 0; client < kClients; ++client) clients.emplace_back([this, client] { RunClient(client); });
  for (int round = 1; round <= kKills; ++round) {
    // Each kill falls into the middle of the work, wherever the clients are by then.
    const size_t target = kClients * kSubmitsPerClient * round / (kKills + 1);
    while (AcknowledgedCount() < target && !HasFailure()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    KillProgram();
    StartProgram();
  }
  for (std::thread& client : clients) client.join();
  ExpectEveryAcknowledgedJobOnce();
}

TEST_F(CrashTest, CrashInASnapshotLosesNothingAndMakesNoJobTwice) {
  StartProgram("journal.in_snapshot=crash");
  std::vector<std::thread> clients;
  for (int client = 0; client < kClients; ++client) clients.emplace_back([this, client] { RunClient(client); });
  WaitUntilItCrashes();
  StartProgram();
  for (std::thread& client : clients) client.join();
  ExpectEveryAcknowledgedJobOnce();
}

// The file that says where the coordinator listens: a start that ends before it is there leaves the one before.
TEST_F(CrashTest, CrashBeforeARenameLeavesTheFileAsItWas) {
  const fs::path file = folder_ / "state" / "coordinator.json";
  StartProgram();
  ListJobs();
  while (!fs::exists(file)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const std::string before = *ReadFile(file.string());
  KillProgram();
  StartProgram("file.before_rename=crash");
  WaitUntilItCrashes();
  EXPECT_EQ(*ReadFile(file.string()), before);
  StartProgram();
  ListJobs();
  while (*ReadFile(file.string()) == before) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  for (const auto& entry : fs::directory_iterator(folder_ / "state"))
    EXPECT_EQ(entry.path().filename().string().find(".tmp."), std::string::npos) << entry.path();
}

}  // namespace
}  // namespace ridgeline
