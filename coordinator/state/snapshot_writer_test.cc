// SPDX-License-Identifier: Apache-2.0
// Snapshots in slices: commits go on between them, a crash in any of them loses nothing, and a full disk is no end.
#include "coordinator/state/snapshot_writer.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "common/failpoint.h"
#include "coordinator/state/journal.h"
#include "coordinator/state/test_events.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using google::protobuf::util::MessageDifferencer;
using test::Ended, test::MakeJob, test::SnapshotOf, test::Started, test::Submitted;

constexpr int kCrashed = 86;
constexpr int kEvents = 60;

// Writes on the caller's thread: a slice after each commit.
class SnapshotSlicesTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override {
    DisarmFailpoints();
    fs::remove_all(folder_);
  }

  absl::StatusOr<std::unique_ptr<Journal>> Open() {
    JournalOptions options;
    options.path = (folder_ / "journal.db").string();
    options.snapshot_every_events = 20;
    options.snapshot_slice_rows = 3;
    options.writes_on_callers_thread = true;
    return Journal::Open(options);
  }
  static absl::Status Submit(Journal& journal) {
    return journal.Commit([&](const CoordinatorState& state) -> absl::StatusOr<std::optional<v1::Event>> {
      return Submitted({MakeJob(state.next_job_number())});
    });
  }
  // Jobs that come, and the first one, which changes all the time.
  static absl::Status CommitMany(Journal& journal, int events) {
    for (int i = 0; i < events; ++i) {
      if (const absl::Status status = Submit(journal); !status.ok()) return status;
      const int64_t epoch = journal.Read([](const CoordinatorState& state) { return NextEpoch(state.jobs().at(1)); });
      if (const absl::Status status = journal.Commit(Started("job-1", epoch, "g")); !status.ok()) return status;
      if (const absl::Status status = journal.Commit(Ended("job-1", epoch, v1::PREEMPTED)); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  static v1::Snapshot Snapshot(const Journal& journal) {
    return journal.Read([](const CoordinatorState& state) { return SnapshotOf(state); });
  }
  int64_t Count(const std::string& table) {
    auto db = SqliteDatabase::Open((folder_ / "journal.db").string(), {.version = kJournalSchemaVersion});
    auto select = db->Prepare("SELECT count(*) FROM " + table);
    EXPECT_TRUE(select.ok() && select->Step().ok());
    return select->ColumnInt(0);
  }

  const fs::path folder_ =
      fs::temp_directory_path() / (std::string("snapshot_slices_test_") + std::to_string(getpid()) + "_" +
                                   testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(SnapshotSlicesTest, EndWhileJobsComeAndOneChangesAllTheTime) {
  v1::Snapshot before;
  {
    auto journal = Open();
    ASSERT_TRUE(journal.ok()) << journal.status();
    ASSERT_TRUE(CommitMany(**journal, kEvents).ok());
    before = Snapshot(**journal);
  }
  EXPECT_EQ(before.jobs_size(), kEvents);
  EXPECT_LT(Count("event"), 2 * kEvents) << "of three times as many, snapshots hold the most";
  EXPECT_GE(Count("snapshot_job"), kEvents / 2);
  auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), before));
}

TEST_F(SnapshotSlicesTest, ACrashInAnyOfThemLosesNothing) {
  for (int slice = 1; slice <= 12; ++slice) {
    EXPECT_EXIT(
        {
          auto journal = Open();
          ArmFailpoint("journal.in_snapshot", FailpointAction::kCrash, slice);
          while (Submit(**journal).ok()) continue;
        },
        testing::ExitedWithCode(kCrashed), "")
        << slice;
    v1::Snapshot before;
    {
      auto journal = Open();
      ASSERT_TRUE(journal.ok()) << "slice " << slice << ": " << journal.status();
      EXPECT_EQ(Snapshot(**journal).jobs_size(), Snapshot(**journal).sequence());
      ASSERT_TRUE(CommitMany(**journal, kEvents).ok());
      before = Snapshot(**journal);
    }
    auto journal = Open();
    ASSERT_TRUE(journal.ok()) << "slice " << slice << ": " << journal.status();
    EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), before)) << slice;
    journal->reset();
    SetUp();
  }
}

// A limit on the size of files stands in for a full disk: neither the log nor what readers share has room.
TEST_F(SnapshotSlicesTest, AStartOnAFullDiskReadsRefusesAndRecovers) {
  v1::Snapshot before;
  {
    auto journal = Open();
    ASSERT_TRUE(journal.ok());
    ASSERT_TRUE(CommitMany(**journal, kEvents).ok());
    before = Snapshot(**journal);
  }
  signal(SIGXFSZ, SIG_IGN);
  rlimit unlimited{};
  getrlimit(RLIMIT_FSIZE, &unlimited);
  rlimit tight = unlimited;
  tight.rlim_cur = 4096;
  setrlimit(RLIMIT_FSIZE, &tight);
  auto journal = Open();
  const bool refuses = journal.ok() && (*journal)->refuses_writes();
  const absl::Status full = journal.ok() ? Submit(**journal) : journal.status();
  const v1::Snapshot during = journal.ok() ? Snapshot(**journal) : v1::Snapshot();
  setrlimit(RLIMIT_FSIZE, &unlimited);

  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(refuses);
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_TRUE(MessageDifferencer::Equals(during, before));
  ASSERT_TRUE((*journal)->Commit([](const CoordinatorState&) { return std::optional<v1::Event>(); }).ok());
  EXPECT_FALSE((*journal)->refuses_writes());
  ASSERT_TRUE(Submit(**journal).ok());
  const v1::Snapshot after = Snapshot(**journal);
  journal->reset();
  journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), after));
}

}  // namespace
}  // namespace ridgeline
