// SPDX-License-Identifier: Apache-2.0
// Stores of older schemas: brought up to date when they are opened, with nothing lost and a copy beside them.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/failpoint.h"
#include "coordinator/state/journal_fixture.h"

namespace ridgeline {
namespace {

using google::protobuf::util::MessageDifferencer;
using test::Ended, test::MakeJob, test::SnapshotOf, test::Started, test::Submitted;

using OldStoreTest = test::JournalFixture;

// What makes a file of the newest schema one of version 3.
constexpr char kToVersion3[] =
    "DROP TABLE audit; CREATE TABLE one_row (number INTEGER PRIMARY KEY, body BLOB NOT NULL);"
    "INSERT INTO one_row SELECT number, body FROM snapshot_job; DROP TABLE snapshot_job;"
    "ALTER TABLE one_row RENAME TO snapshot_job; ALTER TABLE snapshot DROP COLUMN generation; PRAGMA user_version=3;";

// As version 0.1 with schema 1 left it: the snapshot in one row, and a whole recipe in each child of a sweep.
class FirstSchemaTest : public OldStoreTest {
 protected:
  void Write(const std::string& snapshot_body) {
    auto db = SqliteDatabase::Open(
        Path(), {.version = 1,
                 .tables = "CREATE TABLE event (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL);"
                           "CREATE TABLE snapshot (id INTEGER PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL);"});
    ASSERT_TRUE(db.ok()) << db.status();
    auto insert = db->Prepare("INSERT INTO snapshot (id, body) VALUES (1, ?)");
    ASSERT_TRUE(insert->BindBlob(0, snapshot_body).Run().ok());
    CoordinatorState state;
    test::Feeder feeder(&state);
    for (const v1::Event& event : Events()) {
      feeder.Apply(event);
      if (state.sequence() <= kFolded) continue;
      const std::string body = feeder.history().back().SerializeAsString();
      auto add = db->Prepare("INSERT INTO event (sequence, body) VALUES (?, ?)");
      ASSERT_TRUE(add->BindInt(0, state.sequence()).BindBlob(1, body).Run().ok());
    }
    wanted_ = SnapshotOf(state);
  }
  static std::vector<v1::Event> Events() {
    return {test::SubmittedSweep(1, 3, "r1"), Started("job-2", 1, "a"), Ended("job-2", 1, v1::COMPLETED),
            test::SubmittedSweep(5, 2),       Started("job-3", 1, "a"), Ended("job-3", 1, v1::LOST)};
  }
  static std::string FoldedBody() {
    CoordinatorState state;
    test::Feeder feeder(&state);
    for (const v1::Event& event : Events()) {
      if (state.sequence() < kFolded) feeder.Apply(event);
    }
    v1::Snapshot snapshot = SnapshotOf(state);
    for (v1::Job& job : *snapshot.mutable_jobs()) job = state.CopyOf(*state.FindById(job.id()));
    return snapshot.SerializeAsString();
  }

  static constexpr int64_t kFolded = 3;
  v1::Snapshot wanted_;
};

TEST_F(FirstSchemaTest, OpensWithNothingLostAndACopyBesideIt) {
  ASSERT_NO_FATAL_FAILURE(Write(FoldedBody()));
  for (int i = 0; i < 2; ++i) {
    auto journal = Open();
    ASSERT_TRUE(journal.ok()) << journal.status();
    EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), wanted_)) << Snapshot(**journal).DebugString();
  }
  EXPECT_EQ(Count("snapshot_job"), 4);
  auto copy = SqliteDatabase::Open(Path() + ".version-1", {.version = 1});
  ASSERT_TRUE(copy.ok()) << copy.status();
  auto select = copy->Prepare("SELECT body FROM snapshot");
  ASSERT_TRUE(select.ok() && *select->Step());
  EXPECT_EQ(select->ColumnBlob(0), FoldedBody());
}

TEST_F(FirstSchemaTest, ThatCannotBeBroughtUpToDateStaysAsItWas) {
  ASSERT_NO_FATAL_FAILURE(Write("no message"));
  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  auto db = SqliteDatabase::Open(Path(), {.version = 1});
  ASSERT_TRUE(db.ok()) << db.status();
  auto select = db->Prepare("SELECT body FROM snapshot");
  ASSERT_TRUE(select.ok() && *select->Step());
  EXPECT_EQ(select->ColumnBlob(0), "no message");
}

TEST_F(FirstSchemaTest, ACrashWhileItIsBroughtUpToDateLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(Write(FoldedBody()));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EXIT(
        {
          ArmFailpoint("sqlite.in_migration", FailpointAction::kCrash);
          Open().IgnoreError();
        },
        testing::ExitedWithCode(86), "");
    EXPECT_TRUE(SqliteDatabase::Open(Path(), {.version = 1}).ok()) << "still as it was";
  }
  auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), wanted_)) << Snapshot(**journal).DebugString();
}

// As it was before there were queues: no table of entries.
TEST_F(OldStoreTest, AStoreWithoutQueuesGetsThemAndACopyOfItselfBesideIt) {
  v1::Snapshot before;
  {
    auto journal = Open(/*snapshot_every=*/3);
    ASSERT_TRUE(journal.ok());
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(Submit(**journal).ok());
    before = Snapshot(**journal);
  }
  {
    auto db = SqliteDatabase::Open(Path(), {.version = kJournalSchemaVersion});
    ASSERT_TRUE(db->Execute(kToVersion3).ok());
    ASSERT_TRUE(db->Execute("DROP TABLE entry; PRAGMA user_version=2").ok());
  }
  auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), before));
  EXPECT_EQ(Count("entry"), 0);
  EXPECT_TRUE(SqliteDatabase::Open(Path() + ".version-2", {.version = 2}).ok());
}

TEST_F(OldStoreTest, AStoreWithOneRowAJobKeepsThemAndGoesOn) {
  v1::Snapshot before;
  {
    auto journal = Open(/*snapshot_every=*/5);
    ASSERT_TRUE(journal.ok());
    for (int i = 0; i < 12; ++i) ASSERT_TRUE(Submit(**journal).ok());
  }
  {
    auto db = SqliteDatabase::Open(Path(), {.version = kJournalSchemaVersion});
    ASSERT_TRUE(db->Execute(kToVersion3).ok());
  }
  {
    auto journal = Open(/*snapshot_every=*/5);
    ASSERT_TRUE(journal.ok()) << journal.status();
    EXPECT_EQ(Snapshot(**journal).jobs_size(), 12);
    for (int epoch = 1; epoch <= 9; ++epoch) {
      ASSERT_TRUE((*journal)->Commit(Started("job-1", epoch, "g")).ok());
      ASSERT_TRUE((*journal)->Commit(Ended("job-1", epoch, v1::PREEMPTED)).ok());
    }
    before = Snapshot(**journal);
  }
  EXPECT_EQ(Count("snapshot_job"), 12);
  auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), before));
}

// As it was before there was an audit.
TEST_F(OldStoreTest, AStoreWithoutAnAuditGetsOneAndLosesNothing) {
  v1::Snapshot before;
  {
    auto journal = Open(/*snapshot_every=*/3);
    ASSERT_TRUE(journal.ok());
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(Submit(**journal).ok());
    before = Snapshot(**journal);
  }
  {
    auto db = SqliteDatabase::Open(Path(), {.version = kJournalSchemaVersion});
    ASSERT_TRUE(db->Execute("DROP TABLE audit; PRAGMA user_version=4").ok());
  }
  auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), before));
  EXPECT_EQ((*journal)->Audit({})->entries_size(), 0);
  ASSERT_TRUE(Submit(**journal).ok());
  EXPECT_EQ((*journal)->Audit({})->entries_size(), 1);
  EXPECT_TRUE(SqliteDatabase::Open(Path() + ".version-4", {.version = 4}).ok());
}

}  // namespace
}  // namespace ridgeline
