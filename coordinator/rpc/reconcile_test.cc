// SPDX-License-Identifier: Apache-2.0
// Reconcile called by hand, under a clock that moves only when told to, with real streams and a real journal.
#include "coordinator/control/reconcile.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "coordinator/rpc/test_cluster.h"
#include "coordinator/rpc/worker_gateway.h"
#include "coordinator/state/test_events.h"

namespace ridgeline::test {
namespace {

class SteppedClock : public Clock {
 public:
  int64_t WallUnixMs() const override { return 1'700'000'000'000 + elapsed_ms_; }
  int64_t MonotonicMs() const override {
    if (std::this_thread::get_id() == owner_ && before_look_ != nullptr) before_look_();
    return 1'000 + elapsed_ms_;
  }
  void Advance(int64_t ms) { elapsed_ms_ += ms; }
  // Called whenever the test's own thread asks for the time, which Reconcile does between its steps.
  void BeforeLook(std::function<void()> action) { before_look_ = std::move(action); }

 private:
  const std::thread::id owner_ = std::this_thread::get_id();
  std::function<void()> before_look_;
  std::atomic<int64_t> elapsed_ms_ = 0;
};

class ReconcileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    auto journal = Journal::Open({.path = folder_ / "journal.db", .clock = &clock_});
    ASSERT_TRUE(journal.ok()) << journal.status();
    journal_ = *std::move(journal);
    auto store = MetricStore::Open(folder_ / "metrics.db");
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    fleet_ = std::make_unique<Fleet>(options_, journal_.get(), store_.get(), &metrics_);
    reconciler_ = std::make_unique<Reconciler>(journal_.get(), fleet_.get());
    access_ = std::make_unique<AccessControl>(journal_.get(), &clock_, /*requires_tokens=*/false, [](const char*) {});
    tokens_ = std::make_unique<TokenActions>(journal_.get(), &clock_);
    gateway_ = std::make_unique<WorkerGateway>(access_.get(), tokens_.get(), fleet_.get(), &metrics_);
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(gateway_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  void TearDown() override {
    fleet_->Close();
    server_->Shutdown();
    std::filesystem::remove_all(folder_);
  }

  // A group that has come, and job-1 on it.
  std::unique_ptr<TestWorker> WorkerWithAJob(v1::Assign* assign) {
    auto worker = std::make_unique<TestWorker>(address_, "a", "a1");
    EXPECT_TRUE(WaitUntil([&] { return fleet_->Groups().size() == 1; }));
    EXPECT_TRUE(journal_->Commit(Submitted({MakeJob(1)})).ok());
    EXPECT_TRUE(reconciler_->StartAttempt({"job-1", "a"}).ok());
    reconciler_->Reconcile();
    *assign = worker->ExpectAssign();
    return worker;
  }
  v1::JobState StateOf(const std::string& job_id) const {
    return journal_->Read([&](const CoordinatorState& state) { return state.FindById(job_id)->state(); });
  }
  // Time with a running coordinator.
  void LetPass(int64_t ms) {
    for (int part = 0; part < 20; ++part) {
      clock_.Advance(ms / 20);
      reconciler_->Reconcile();
    }
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("ridgeline_reconcile_test_" + std::to_string(getpid()));
  SteppedClock clock_;
  const FleetOptions options_{.heartbeat_interval_ms = 1'000, .lease_ms = 10'000, .clock = &clock_};
  CoordinatorMetrics metrics_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<MetricStore> store_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Reconciler> reconciler_;
  std::unique_ptr<AccessControl> access_;
  std::unique_ptr<TokenActions> tokens_;
  std::unique_ptr<WorkerGateway> gateway_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

TEST_F(ReconcileTest, CoordinatorThatStoodStillEndsNoAttempt) {
  v1::Assign assign;
  const auto worker = WorkerWithAJob(&assign);
  LetPass(options_.lease_ms / 2);
  clock_.Advance(10 * options_.lease_ms);
  reconciler_->Reconcile();
  EXPECT_EQ(StateOf("job-1"), v1::RUNNING);
  EXPECT_EQ(fleet_->Groups().size(), 1u);
  // What the group has used of its lease stays used.
  LetPass(options_.lease_ms * 3 / 4);
  EXPECT_EQ(StateOf("job-1"), v1::QUEUED);
}

TEST_F(ReconcileTest, RecordThatIsSlowToCommitEndsNoLease) {
  v1::Assign assign;
  const auto worker = WorkerWithAJob(&assign);
  absl::Notification disk_is_slow, disk_is_back;
  std::thread slow_disk([&] {
    EXPECT_TRUE(journal_
                    ->Commit([&](const CoordinatorState&) -> absl::StatusOr<std::optional<v1::Event>> {
                      disk_is_slow.Notify();
                      disk_is_back.WaitForNotificationWithTimeout(absl::Seconds(kPatienceSeconds));
                      return std::nullopt;
                    })
                    .ok());
  });
  disk_is_slow.WaitForNotification();
  clock_.Advance(1);
  const int64_t checkpoint = worker->Send(CheckpointMessage(assign, 10));
  EXPECT_TRUE(WaitUntil([&] { return fleet_->Groups()[0].group.last_heartbeat_unix_ms() == clock_.WallUnixMs(); }));
  LetPass(3 * options_.lease_ms);
  disk_is_back.Notify();
  slow_disk.join();
  worker->ExpectAck(checkpoint);
  // The heartbeats that waited behind the record get their time.
  LetPass(options_.lease_ms / 2);
  EXPECT_EQ(StateOf("job-1"), v1::RUNNING);
  LetPass(options_.lease_ms);
  EXPECT_EQ(StateOf("job-1"), v1::QUEUED);
}

TEST_F(ReconcileTest, AttemptThatEndsWhileReconcileRunsIsNotHandedOut) {
  const auto worker = std::make_unique<TestWorker>(address_, "a", "a1");
  ASSERT_TRUE(WaitUntil([&] { return fleet_->Groups().size() == 1; }));
  ASSERT_TRUE(journal_->Commit(Submitted({MakeJob(1), MakeJob(2)})).ok());
  ASSERT_TRUE(reconciler_->StartAttempt({"job-1", "a"}).ok());
  // The first look opens Reconcile; by the second it has its list of live attempts and is about to deliver.
  int looks = 0;
  clock_.BeforeLook([&] {
    if (++looks == 2) {
      EXPECT_TRUE(journal_->Commit(Ended("job-1", 1, v1::COMPLETED)).ok());
    }
  });
  reconciler_->Reconcile();
  clock_.BeforeLook(nullptr);
  ASSERT_EQ(StateOf("job-1"), v1::SUCCEEDED);
  ASSERT_TRUE(reconciler_->StartAttempt({"job-2", "a"}).ok());
  reconciler_->Reconcile();
  EXPECT_EQ(worker->ExpectAssign().job_id(), "job-2") << "nothing came before it, and the group counts as free";
}

}  // namespace
}  // namespace ridgeline::test
