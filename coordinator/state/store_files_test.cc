// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/store_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "coordinator/state/journal.h"
#include "coordinator/state/metric_store.h"
#include "coordinator/state/state_dir.h"
#include "coordinator/state/test_events.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class StoreFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(State());
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string State() const { return (folder_ / "state").string(); }
  std::string Backup() const { return (folder_ / "backup").string(); }
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& folder) {
    JournalOptions options;
    options.path = folder + "/journal.db";
    options.snapshot_every_events = 7;
    return Journal::Open(options);
  }
  static absl::Status Submit(Journal& journal) {
    return journal.Commit([](const CoordinatorState& state) -> absl::StatusOr<std::optional<v1::Event>> {
      return test::Submitted({test::MakeJob(state.next_job_number())});
    });
  }
  static void SubmitMany(const std::string& folder, int jobs) {
    auto journal = Open(folder);
    ASSERT_TRUE(journal.ok()) << journal.status();
    for (int i = 0; i < jobs; ++i) ASSERT_TRUE(Submit(**journal).ok());
  }
  static int64_t Jobs(const std::string& folder) {
    auto journal = Open(folder);
    EXPECT_TRUE(journal.ok()) << journal.status();
    return journal.ok() ? (*journal)->Read([](const CoordinatorState& state) { return state.jobs().size(); }) : -1;
  }

  const fs::path folder_ =
      fs::temp_directory_path() / (std::string("store_files_test_") + std::to_string(getpid()) + "_" +
                                   testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(StoreFilesTest, ABackupBesideAWriterHoldsAllThatWasAcknowledgedBefore) {
  auto journal = Open(State());
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE(MetricStore::Open(State() + "/metrics.db").ok());
  std::atomic<int64_t> acknowledged = 0;
  std::atomic<bool> stopping = false;
  std::thread writer([&] {
    while (!stopping) {
      if (Submit(**journal).ok()) ++acknowledged;
    }
  });
  for (int i = 0; i < 5; ++i) {
    while (acknowledged < 20 * i) std::this_thread::yield();
    const int64_t before = acknowledged;
    const absl::StatusOr<StoreFigures> figures = BackUpStore(State(), Backup() + std::to_string(i));
    EXPECT_TRUE(figures.ok()) << figures.status();
    if (!figures.ok()) break;
    EXPECT_GE(figures->jobs, before);
    EXPECT_EQ(figures->jobs, figures->sequence) << "as it was at one moment";
    EXPECT_EQ(Jobs(Backup() + std::to_string(i)), figures->jobs);
    EXPECT_TRUE(fs::exists(Backup() + std::to_string(i) + "/metrics.db"));
  }
  stopping = true;
  writer.join();
}

TEST_F(StoreFilesTest, RestoreBringsTheBackupBackAndKeepsWhatWasThere) {
  SubmitMany(State(), 5);
  ASSERT_TRUE(BackUpStore(State(), Backup()).ok());
  SubmitMany(State(), 10);
  const absl::StatusOr<RestoredStore> restored = RestoreStore(Backup(), State());
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->figures.jobs, 5);
  EXPECT_EQ(Jobs(State()), 5);
  EXPECT_EQ(Jobs(restored->kept_in), 15);
  const absl::StatusOr<RestoredStore> again = RestoreStore(restored->kept_in, State());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Jobs(State()), 15);
  EXPECT_NE(again->kept_in, restored->kept_in);
}

// A coordinator that was killed leaves a log beside the file.
TEST_F(StoreFilesTest, RestoreDoesNotMixTheLogOfTheStoreBeforeIntoTheBackup) {
  SubmitMany(State(), 5);
  ASSERT_TRUE(BackUpStore(State(), Backup()).ok());
  const fs::path killed = folder_ / "killed";
  {
    auto journal = Open(State());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(Submit(**journal).ok());
    fs::copy(State(), killed);
  }
  ASSERT_GT(fs::file_size(killed / "journal.db-wal"), 0u);
  const absl::StatusOr<RestoredStore> restored = RestoreStore(Backup(), killed.string());
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(Jobs(killed.string()), 5);
  EXPECT_EQ(Jobs(restored->kept_in), 8);
}

TEST_F(StoreFilesTest, RestoreIsRefusedWhileACoordinatorHoldsTheFolder) {
  SubmitMany(State(), 5);
  ASSERT_TRUE(BackUpStore(State(), Backup()).ok());
  const absl::StatusOr<StateDirLock> lock = StateDirLock::Acquire(State());
  const absl::Status refused = RestoreStore(Backup(), State()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr(std::to_string(getpid())));
}

TEST_F(StoreFilesTest, DamageIsFoundAndIsNotRestored) {
  SubmitMany(State(), 5);
  ASSERT_TRUE(BackUpStore(State(), Backup()).ok());
  {
    auto database = SqliteDatabase::OpenAsItIs(Backup() + "/journal.db");
    ASSERT_TRUE(database->Execute("DELETE FROM event WHERE sequence = 3").ok());
  }
  EXPECT_TRUE(absl::IsDataLoss(VerifyStore(Backup()).status())) << VerifyStore(Backup()).status();
  EXPECT_TRUE(absl::IsDataLoss(RestoreStore(Backup(), State()).status()));
  EXPECT_EQ(Jobs(State()), 5);
  std::ofstream(Backup() + "/journal.db") << std::string(8192, 'z');
  EXPECT_TRUE(absl::IsDataLoss(VerifyStore(Backup()).status())) << VerifyStore(Backup()).status();
}

TEST_F(StoreFilesTest, WhatIsNoStoreOrIsThereAlreadyIsSaid) {
  EXPECT_TRUE(absl::IsNotFound(BackUpStore(State(), Backup()).status()));
  EXPECT_FALSE(fs::exists(Backup()));
  EXPECT_TRUE(absl::IsNotFound(VerifyStore(Backup()).status()));
  SubmitMany(State(), 1);
  ASSERT_TRUE(BackUpStore(State(), Backup()).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(BackUpStore(State(), Backup()).status()));
}

}  // namespace
}  // namespace ridgeline
