// SPDX-License-Identifier: Apache-2.0
// A journal in a folder of the test's own, for tests of what is in its file.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "coordinator/state/journal.h"
#include "coordinator/state/test_events.h"

namespace ridgeline::test {

class JournalFixture : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name = "journal.db") const { return (folder_ / name).string(); }
  absl::StatusOr<std::unique_ptr<Journal>> Open(int64_t snapshot_every = 1000, const std::string& name = "journal.db") {
    JournalOptions options;
    options.path = Path(name);
    options.snapshot_every_events = snapshot_every;
    options.max_row_bytes = max_row_bytes_;
    return Journal::Open(options);
  }
  int64_t Count(const std::string& table) {
    auto db = SqliteDatabase::Open(Path(), {.version = kJournalSchemaVersion});
    EXPECT_TRUE(db.ok()) << db.status();
    auto select = db->Prepare("SELECT count(*) FROM " + table);
    EXPECT_TRUE(select.ok() && select->Step().ok());
    return select->ColumnInt(0);
  }
  static v1::Snapshot Snapshot(const Journal& journal) {
    return journal.Read([](const CoordinatorState& state) { return SnapshotOf(state); });
  }
  static absl::Status Submit(Journal& journal, const std::string& request_id = "", size_t padding_bytes = 0) {
    return journal.Commit([&](const CoordinatorState& state) -> absl::StatusOr<std::optional<v1::Event>> {
      v1::Job job = MakeJob(state.next_job_number());
      job.mutable_recipe()->mutable_dataset()->set_path(std::string(padding_bytes, 'x'));
      return Submitted({job}, request_id);
    });
  }

  int64_t max_row_bytes_ = kMaxRowBytes;
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / (std::string("journal_") + std::to_string(getpid()) + "_" +
                                                testing::UnitTest::GetInstance()->current_test_info()->name());
};

}  // namespace ridgeline::test
