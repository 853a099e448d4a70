// SPDX-License-Identifier: Apache-2.0
#include "worker/checkpoint/store/checkpoint_folders.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "common/file.h"
#include "common/sha256.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

// Files of text stand for those of ranks: nothing here looks into them.
class CheckpointFoldersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = (fs::temp_directory_path() / ("ridgeline_checkpoint_folders_test_" + std::to_string(::getpid()))).string();
  }
  void TearDown() override { fs::remove_all(root_); }

  // Of two ranks.
  CheckpointManifest WriteFiles(int64_t step, std::optional<double> loss = {}) {
    CheckpointManifest manifest{
        .step = step, .job_id = "job-1", .recipe_sha256 = "abc", .validation_loss = loss, .ranks = 2};
    for (int rank = 0; rank < 2; ++rank) {
      const std::string name = CheckpointFileName(rank, 2), content = name + " of " + std::to_string(step);
      EXPECT_TRUE(WriteFileAtomically(UnfinishedCheckpoint(root_, step, epoch_) + "/" + name, content).ok());
      manifest.files.push_back({name, static_cast<int64_t>(content.size()), Sha256Hex(content)});
    }
    return manifest;
  }
  absl::StatusOr<v1::Checkpoint> Commit(int64_t step, std::optional<double> loss = {}) {
    return CommitCheckpoint(root_, epoch_, WriteFiles(step, loss));
  }
  FoundCheckpoint Find() const { return FindNewestCheckpoint(root_, "job-1", "abc"); }
  int64_t NewestStep() const { return ReadManifest(Find().folder).value().step; }
  std::string FileAt(int64_t step, const std::string& name) const {
    return (fs::path(root_) / ("step-0000000" + std::to_string(step)) / name).string();
  }
  std::vector<int64_t> Steps() const {
    std::vector<int64_t> steps;
    for (const std::string& folder : CheckpointFolders(root_)) steps.push_back(ReadManifest(folder).value().step);
    return steps;
  }
  void Collect(const KeepPolicy& policy, int64_t epoch) {
    EXPECT_TRUE(RemoveCheckpoints(RemovableCheckpoints(root_, policy, epoch)).ok());
  }
  size_t Entries() const { return static_cast<size_t>(std::distance(fs::directory_iterator(root_), {})); }

  std::string root_;
  int64_t epoch_ = 1;
};

TEST_F(CheckpointFoldersTest, TheNewestWholeCheckpointIsFound) {
  ASSERT_TRUE(Commit(1).ok());
  const v1::Checkpoint written = Commit(2, 2.5).value();
  EXPECT_EQ(written.step(), 2);
  EXPECT_EQ(written.sha256().size(), 64u);
  EXPECT_EQ(written.validation_loss(), 2.5);
  EXPECT_GT(written.time_unix_ms(), 0);
  EXPECT_EQ(NewestStep(), 2);
  EXPECT_EQ(DescribeCheckpoint(Find().folder).value().bytes(), written.bytes());
}

TEST_F(CheckpointFoldersTest, OrderIsThatOfStepsAlsoWhereNamesAreLonger) {
  for (int64_t step : {99'999'999, 100'000'000, 5}) ASSERT_TRUE(Commit(step).ok());
  EXPECT_EQ(Steps(), (std::vector<int64_t>{100'000'000, 99'999'999, 5}));
}

TEST_F(CheckpointFoldersTest, ADamagedCheckpointIsPassedOverForTheOneBefore) {
  ASSERT_TRUE(Commit(1).ok());
  for (const std::string& damaged : {CheckpointFileName(0, 2), CheckpointFileName(1, 2), std::string(kManifestFile)}) {
    for (bool gone : {false, true}) {
      ASSERT_TRUE(Commit(2).ok());
      if (gone)
        fs::remove(FileAt(2, damaged));
      else
        std::ofstream(FileAt(2, damaged), std::ios::app) << "x";
      EXPECT_EQ(NewestStep(), 1) << damaged;
      ASSERT_EQ(Find().passed_over.size(), 1u);
      EXPECT_NE(Find().passed_over[0].find("step-00000002"), std::string::npos) << Find().passed_over[0];
      EXPECT_NE(Find().passed_over[0].find(damaged), std::string::npos) << Find().passed_over[0];
    }
  }
}

TEST_F(CheckpointFoldersTest, AFileOfTheSameSizeWithOtherBytesIsDamaged) {
  ASSERT_TRUE(Commit(1).ok());
  const std::string file = FileAt(1, CheckpointFileName(1, 2));
  std::string content = ReadFile(file).value();
  content.back() ^= 1;
  std::ofstream(file) << content;
  EXPECT_EQ(Find().folder, "");
  const absl::Status status = VerifyCheckpoint(FileAt(1, ""), ReadManifest(FileAt(1, "")).value());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST_F(CheckpointFoldersTest, AFileThatRankZeroDoesNotSeeIsToldAndNothingIsLeft) {
  const CheckpointManifest manifest = WriteFiles(1);
  fs::remove(UnfinishedCheckpoint(root_, 1, epoch_) + "/" + CheckpointFileName(1, 2));
  const absl::Status status = CommitCheckpoint(root_, epoch_, manifest).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_NE(std::string(status.message()).find("all ranks need the same work folder"), std::string::npos) << status;
  EXPECT_EQ(Entries(), 0u);
}

TEST_F(CheckpointFoldersTest, AnotherOfTheSameStepReplacesTheOlderOne) {
  ASSERT_TRUE(Commit(1, 3.0).ok());
  ASSERT_TRUE(Commit(1, 2.0).ok());
  EXPECT_EQ(ReadManifest(FileAt(1, "")).value().validation_loss, 2.0);
  EXPECT_EQ(NewestStep(), 1);
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(CheckpointFoldersTest, AnUnfinishedWriteDoesNotExistAndIsCleanedUp) {
  ASSERT_TRUE(Commit(1).ok());
  WriteFiles(2);
  fs::create_directories(fs::path(root_) / "step-00000003.removed");
  EXPECT_EQ(NewestStep(), 1);
  Collect({.latest = 1}, /*epoch=*/2);
  EXPECT_EQ(Entries(), 1u);
  EXPECT_EQ(NewestStep(), 1);
}

TEST_F(CheckpointFoldersTest, AStaleAttemptLeavesTheNewOnesUnfinishedWriteAlone) {
  epoch_ = 5;
  WriteFiles(2);
  Collect({.latest = 1}, /*epoch=*/4);
  EXPECT_TRUE(fs::exists(UnfinishedCheckpoint(root_, 2, 5)));
}

TEST_F(CheckpointFoldersTest, AnotherJobsOrRecipesCheckpointIsRefusedBeforeItsFilesAreReadAt) {
  CheckpointManifest other = WriteFiles(3);
  other.job_id = "job-2";
  ASSERT_TRUE(CommitCheckpoint(root_, epoch_, other).ok());
  fs::remove(FileAt(3, CheckpointFileName(0, 2)));
  EXPECT_EQ(Find().folder, "");
  ASSERT_EQ(Find().passed_over.size(), 1u);
  EXPECT_NE(Find().passed_over[0].find("job-2"), std::string::npos) << Find().passed_over[0];
}

TEST_F(CheckpointFoldersTest, TheNewestAreKeptAndBesideThemThoseWithTheLowestLoss) {
  const std::vector<std::pair<int64_t, std::optional<double>>> written = {{1, 2.0}, {2, 1.0}, {3, {}},
                                                                          {4, 1.5}, {5, 3.0}, {6, {}}};
  for (const auto& [step, loss] : written) ASSERT_TRUE(Commit(step, loss).ok());
  Collect({.latest = 2, .best = 2}, /*epoch=*/1);
  EXPECT_EQ(Steps(), (std::vector<int64_t>{6, 5, 4, 2}));
  Collect({.latest = 1, .best = 1}, /*epoch=*/1);
  EXPECT_EQ(Steps(), (std::vector<int64_t>{6, 2}));
  Collect({.latest = 1}, /*epoch=*/1);
  EXPECT_EQ(Steps(), (std::vector<int64_t>{6}));
}

TEST_F(CheckpointFoldersTest, ADamagedManifestTakesNoWholeOnesPlace) {
  for (int64_t step : {1, 2, 3}) ASSERT_TRUE(Commit(step).ok());
  std::ofstream(FileAt(3, kManifestFile)) << "{}";
  Collect({.latest = 1}, /*epoch=*/1);
  EXPECT_EQ(NewestStep(), 2);
  EXPECT_FALSE(fs::exists(FileAt(1, "")));
}

TEST_F(CheckpointFoldersTest, WhatNeitherWritesNorRemovalsLeaveIsLeftAlone) {
  ASSERT_TRUE(Commit(1).ok());
  for (const char* name : {"step-my-notes", "step-", "step-00000002.old", "step-2.unfinished.", "notes"})
    fs::create_directories(fs::path(root_) / name);
  fs::create_directories(UnfinishedCheckpoint(root_, 2, 1));
  fs::create_directories(fs::path(root_) / "step-00000003.removed");
  EXPECT_EQ(RemovableCheckpoints(root_, {}, /*epoch=*/2, /*others_remove=*/true).size(), 1u);
  EXPECT_EQ(RemovableCheckpoints(root_, {}, /*epoch=*/2).size(), 2u);
  Collect({}, /*epoch=*/2);
  EXPECT_EQ(Entries(), 6u);
}

TEST_F(CheckpointFoldersTest, WhatAnotherProcessHasRemovedIsNoError) {
  for (int64_t step : {1, 2, 3}) ASSERT_TRUE(Commit(step).ok());
  const std::vector<RemovableCheckpoint> removable = RemovableCheckpoints(root_, {}, 1);
  ASSERT_EQ(removable.size(), 2u);
  fs::remove_all(removable[0].folder);
  EXPECT_TRUE(RemoveCheckpoints(removable).ok());
  EXPECT_EQ(Steps(), (std::vector<int64_t>{3}));
}

TEST_F(CheckpointFoldersTest, AManifestOfAnotherStepMakesNoCheckpoint) {
  for (int64_t step : {1, 2}) ASSERT_TRUE(Commit(step).ok());
  fs::copy(FileAt(2, ""), fs::path(root_) / "step-00000009", fs::copy_options::recursive);
  EXPECT_EQ(NewestStep(), 2);
  EXPECT_EQ(ReadManifestOf((fs::path(root_) / "step-00000009").string()).status().code(), absl::StatusCode::kDataLoss);
  Collect({.latest = 2}, 1);
  EXPECT_TRUE(fs::exists(FileAt(1, ""))) << "it takes no other's place";
}

TEST_F(CheckpointFoldersTest, WhatIsNoFileIsNotWaitedFor) {
  ASSERT_TRUE(Commit(1).ok());
  fs::remove(FileAt(1, kManifestFile));
  ASSERT_EQ(::mkfifo(FileAt(1, kManifestFile).c_str(), 0600), 0);
  EXPECT_EQ(ReadManifest(FileAt(1, "")).status().code(), absl::StatusCode::kDataLoss);
  const CheckpointManifest manifest = WriteFiles(2);
  ASSERT_TRUE(CommitCheckpoint(root_, epoch_, manifest).ok());
  fs::remove(FileAt(2, CheckpointFileName(1, 2)));
  ASSERT_EQ(::mkfifo(FileAt(2, CheckpointFileName(1, 2)).c_str(), 0600), 0);
  EXPECT_EQ(VerifyCheckpoint(FileAt(2, ""), manifest).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace ridgeline
