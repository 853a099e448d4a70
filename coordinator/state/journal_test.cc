// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/journal.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "coordinator/state/journal_fixture.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using google::protobuf::util::MessageDifferencer;
using test::Ended, test::MakeJob, test::SnapshotOf, test::Started, test::Submitted;
using testing::HasSubstr;

using JournalTest = test::JournalFixture;

TEST_F(JournalTest, ReopenedJournalHasTheSameState) {
  v1::Snapshot before;
  {
    auto journal = Open(/*snapshot_every=*/7);
    ASSERT_TRUE(journal.ok()) << journal.status();
    for (int i = 1; i <= 20; ++i) {
      ASSERT_TRUE(Submit(**journal, "r" + std::to_string(i)).ok());
      ASSERT_TRUE((*journal)->Commit(Started(JobId(i), 1, "g")).ok());
      ASSERT_TRUE((*journal)->Commit(Ended(JobId(i), 1, i % 2 == 0 ? v1::COMPLETED : v1::LOST)).ok());
    }
    before = Snapshot(**journal);
  }
  auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), before));
  EXPECT_EQ(before.sequence(), 60);
  EXPECT_EQ(before.points_size(), 10);
}

TEST_F(JournalTest, CommitsOfManyThreadsAreAllKeptInOneOrder) {
  auto journal = Open(/*snapshot_every=*/50);
  ASSERT_TRUE(journal.ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 40; ++i) EXPECT_TRUE(Submit(**journal, std::to_string(t) + "-" + std::to_string(i)).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  journal->reset();
  journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  std::set<std::string> request_ids;
  const v1::Snapshot snapshot = Snapshot(**journal);
  for (const v1::Job& job : snapshot.jobs()) request_ids.insert(job.request_id());
  EXPECT_EQ(request_ids.size(), 320u);
  EXPECT_EQ(snapshot.next_job_number(), 321);
}

TEST_F(JournalTest, RefusedEventIsNotWritten) {
  auto journal = Open();
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE(Submit(**journal).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition((*journal)->Commit(Ended("job-1", 1, v1::COMPLETED))));
  EXPECT_EQ(Snapshot(**journal).sequence(), 1);
}

// The files as a crash leaves them: taken while commits go on, each acknowledged commit must be in the copy.
TEST_F(JournalTest, CopyTakenMidwayHoldsEveryAcknowledgedCommit) {
  auto journal = Open(/*snapshot_every=*/20);
  ASSERT_TRUE(journal.ok());
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 13; ++i) ASSERT_TRUE(Submit(**journal).ok());
    const int64_t acknowledged = Snapshot(**journal).sequence();
    const std::string copy = "copy" + std::to_string(round) + ".db";
    // The next commit ends the snapshot that may still be written, so that the files stand still.
    ASSERT_TRUE(Submit(**journal).ok());
    fs::copy_file(Path(), Path(copy));
    fs::copy_file(Path() + "-wal", Path(copy) + "-wal");
    auto reopened = Open(1000, copy);
    ASSERT_TRUE(reopened.ok()) << reopened.status();
    EXPECT_GE(Snapshot(**reopened).sequence(), acknowledged);
    EXPECT_EQ(Snapshot(**reopened).jobs_size(), Snapshot(**reopened).sequence());
  }
}

// A file size limit stands in for a full disk: the write fails in the same place.
TEST_F(JournalTest, FullDiskRefusesWritesKeepsStateAndRecovers) {
  auto journal = Open();
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE(Submit(**journal, "before").ok());
  const v1::Snapshot before = Snapshot(**journal);

  signal(SIGXFSZ, SIG_IGN);
  rlimit unlimited{};
  getrlimit(RLIMIT_FSIZE, &unlimited);
  rlimit tight = unlimited;
  tight.rlim_cur = fs::file_size(Path() + "-wal") + 4096;
  setrlimit(RLIMIT_FSIZE, &tight);
  const absl::Status full = Submit(**journal, "during", /*padding_bytes=*/100'000);
  const absl::Status again = Submit(**journal, "during", /*padding_bytes=*/100'000);
  const v1::Snapshot during = Snapshot(**journal);
  setrlimit(RLIMIT_FSIZE, &unlimited);

  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_TRUE(absl::IsResourceExhausted(again)) << again;
  EXPECT_TRUE(MessageDifferencer::Equals(during, before));
  ASSERT_TRUE(Submit(**journal, "after").ok());
  const v1::Snapshot after = Snapshot(**journal);
  journal->reset();
  journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), after));
  EXPECT_EQ(after.jobs_size(), 2);
}

TEST_F(JournalTest, NewerSchemaIsRefusedWithARemedy) {
  ASSERT_TRUE(Open().ok());
  {
    auto db = SqliteDatabase::Open(Path(), {.version = kJournalSchemaVersion});
    ASSERT_TRUE(db.ok());
    ASSERT_TRUE(db->Execute("PRAGMA user_version=99").ok());
  }
  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), testing::AllOf(HasSubstr("99"), HasSubstr("newer ridgeline")));
}

TEST_F(JournalTest, MissingEventIsDataLoss) {
  {
    auto journal = Open();
    ASSERT_TRUE(journal.ok());
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(Submit(**journal).ok());
  }
  {
    auto db = SqliteDatabase::Open(Path(), {.version = kJournalSchemaVersion});
    ASSERT_TRUE(db->Execute("DELETE FROM event WHERE sequence = 3").ok());
  }
  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("event 3 is missing"));
}

TEST_F(JournalTest, DamagedFileIsDataLoss) {
  std::ofstream(Path()) << std::string(8192, 'z');
  EXPECT_TRUE(absl::IsDataLoss(Open().status())) << Open().status();
}

// A limit of some kilobytes stands in for the 2 GiB of a message and the 1 GB of a value in SQLite.
TEST_F(JournalTest, StateBeyondTheLimitOfOneRowIsStillFolded) {
  max_row_bytes_ = 10'000;
  v1::Snapshot before;
  {
    auto journal = Open(/*snapshot_every=*/5);
    ASSERT_TRUE(journal.ok());
    for (int i = 0; i < 21; ++i) ASSERT_TRUE(Submit(**journal, "", /*padding_bytes=*/8'000).ok());
    before = Snapshot(**journal);
  }
  EXPECT_GT(before.ByteSizeLong(), 10 * max_row_bytes_);
  EXPECT_EQ(Count("event"), 1) << "the others are in the snapshot";
  EXPECT_EQ(Count("snapshot_job"), 20);
  auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), before));
}

TEST_F(JournalTest, NothingIsPrunedThatIsNotStored) {
  max_row_bytes_ = 10'000;
  v1::Snapshot before;
  {
    auto journal = Open(/*snapshot_every=*/4);
    ASSERT_TRUE(journal.ok());
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(Submit(**journal).ok());
    // Events that are small each, of a job that becomes too large for its row.
    for (int epoch = 1; epoch <= 6; ++epoch) {
      ASSERT_TRUE((*journal)->Commit(Started("job-1", epoch, "g")).ok());
      v1::Event ended = Ended("job-1", epoch, v1::PREEMPTED);
      ended.mutable_attempt_ended()->set_detail(std::string(2'500, 'x'));
      ASSERT_TRUE((*journal)->Commit(ended).ok());
    }
    before = Snapshot(**journal);
  }
  EXPECT_GE(Count("event"), 4) << "no snapshot holds what they say";
  EXPECT_EQ(Count("snapshot_job"), 4) << "the snapshot before stays";
  auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), before));
}

TEST_F(JournalTest, EventTooLargeToBeStoredIsRefusedAlone) {
  max_row_bytes_ = 10'000;
  auto journal = Open();
  ASSERT_TRUE(journal.ok());
  const absl::Status refused = Submit(**journal, "", /*padding_bytes=*/20'000);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("10000 is the limit"));
  EXPECT_TRUE(Submit(**journal).ok());
  journal->reset();
  journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ(Snapshot(**journal).jobs_size(), 1);
}

TEST_F(JournalTest, QueuesAndDrainingGroupsOutliveSnapshotAndRestart) {
  v1::Snapshot before;
  {
    auto journal = Open(/*snapshot_every=*/1);
    ASSERT_TRUE(journal.ok());
    ASSERT_TRUE((*journal)->Commit(test::QueueSetTo("large", 3, 16, 100.5, 48)).ok());
    ASSERT_TRUE((*journal)->Commit(test::Drained("a", true)).ok());
    ASSERT_TRUE((*journal)->Commit(test::Drained("b", true)).ok());
    ASSERT_TRUE((*journal)->Commit(test::Drained("a", false)).ok());
    before = Snapshot(**journal);
  }
  auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), before)) << Snapshot(**journal).DebugString();
  EXPECT_EQ(before.queues_size(), 2);
  EXPECT_EQ(before.draining_groups_size(), 1);
  EXPECT_EQ(Count("event"), 0);
}

TEST_F(JournalTest, TokensOutliveSnapshotAndRestart) {
  v1::Snapshot before;
  {
    auto journal = Open(/*snapshot_every=*/2);
    ASSERT_TRUE(journal.ok());
    ASSERT_TRUE((*journal)->Commit(test::TokenChangedTo("ci", "submitter", 'a')).ok());
    ASSERT_TRUE((*journal)->Commit(test::TokenChangedTo("ops", "admin", 'b')).ok());
    v1::Event rotated = test::TokenChangedTo("ci", "submitter", 'c');
    rotated.mutable_token_changed()->mutable_token()->set_previous_secret_sha256(std::string(64, 'a'));
    ASSERT_TRUE((*journal)->Commit(rotated).ok());
    before = Snapshot(**journal);
  }
  auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_TRUE(MessageDifferencer::Equals(Snapshot(**journal), before)) << Snapshot(**journal).DebugString();
  (*journal)->Read([](const CoordinatorState& state) {
    for (const char digit : {'a', 'b', 'c'}) {
      const v1::Token* token = state.FindTokenByHash(std::string(64, digit));
      EXPECT_TRUE(token != nullptr && token->name() == (digit == 'b' ? "ops" : "ci")) << digit;
    }
    return true;
  });
}

TEST_F(JournalTest, AuditNamesWhoAskedAlsoForEventsThatASnapshotPruned) {
  auto journal = Open(/*snapshot_every=*/3);
  ASSERT_TRUE(journal.ok());
  const auto as = [](v1::Event event, const std::string& actor) {
    event.mutable_actor()->set_name(actor);
    event.mutable_actor()->set_role("submitter");
    event.mutable_actor()->set_address("ipv4:10.0.0.1:5");
    return event;
  };
  ASSERT_TRUE((*journal)->Commit(as(Submitted({MakeJob(1, "first")}), "alice")).ok());
  ASSERT_TRUE((*journal)->Commit(as(test::TokenChangedTo("ci", "viewer", 'a'), "bob")).ok());
  ASSERT_TRUE((*journal)->Commit(Started("job-1", 1, "g")).ok());
  ASSERT_TRUE((*journal)->Commit(as(test::Cancelled("job-1"), "bob")).ok());
  journal->reset();
  journal = Open();
  ASSERT_TRUE(journal.ok());
  EXPECT_EQ(Count("event"), 1);
  const v1::ListAuditResponse all = *(*journal)->Audit({});
  ASSERT_EQ(all.entries_size(), 3) << "an attempt's start is nobody's wish: " << all.DebugString();
  EXPECT_EQ(all.entries(0).action(), "cancel");
  EXPECT_EQ(all.entries(0).target(), "job-1");
  EXPECT_EQ(all.entries(0).actor(), "bob");
  EXPECT_EQ(all.entries(1).action(), "token");
  EXPECT_EQ(all.entries(1).target(), "ci");
  EXPECT_EQ(all.entries(1).detail(), "role viewer");
  EXPECT_EQ(all.entries(2).action(), "submit");
  EXPECT_EQ(all.entries(2).detail(), "first");
  EXPECT_EQ(all.entries(2).address(), "ipv4:10.0.0.1:5");
  EXPECT_EQ(all.entries(2).sequence(), 1);
  EXPECT_EQ((*journal)->Audit({.actor = "alice"})->entries_size(), 1);
  EXPECT_EQ((*journal)->Audit({.before_sequence = 4})->entries_size(), 2);
  EXPECT_EQ((*journal)->Audit({.limit = 1})->entries_size(), 1);
  EXPECT_EQ((*journal)->Audit({.actor = "carol"})->entries_size(), 0);
}

TEST_F(JournalTest, AuditKeepsItsNewestRows) {
  JournalOptions options;
  options.path = Path();
  options.snapshot_every_events = 10;
  options.max_audit_rows = 5;
  auto journal = Journal::Open(options);
  ASSERT_TRUE(journal.ok());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Submit(**journal).ok());
  journal->reset();  // The snapshot comes behind the answer.
  journal = Open();
  const v1::ListAuditResponse left = *(*journal)->Audit({});
  ASSERT_EQ(left.entries_size(), 5);
  EXPECT_EQ(left.entries(0).sequence(), 20);
  EXPECT_EQ(left.entries(4).sequence(), 16);
}

}  // namespace
}  // namespace ridgeline
