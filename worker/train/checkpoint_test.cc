// SPDX-License-Identifier: Apache-2.0
#include "worker/train/checkpoint.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = (fs::temp_directory_path() / ("ridgeline_checkpoint_test_" + std::to_string(::getpid()))).string();
  }
  void TearDown() override { fs::remove_all(root_); }

  static CheckpointState StateAt(int64_t step) {
    CheckpointState state{.step = step, .job_id = "job-1", .recipe_sha256 = "abc"};
    state.tensors.tensors["w"] = at::full({3}, static_cast<double>(step));
    return state;
  }
  absl::StatusOr<CheckpointState> Newest() const {
    return ReadCheckpoint(FindNewestCheckpoint(root_, "job-1", "abc").folder);
  }
  std::string FileAt(int64_t step, const std::string& name) const {
    return (fs::path(root_) / ("step-0000000" + std::to_string(step)) / name).string();
  }
  std::string root_;
};

TEST_F(CheckpointTest, TheNewestWholeCheckpointComesBack) {
  ASSERT_TRUE(WriteCheckpoint(root_, StateAt(1)).ok());
  v1::Checkpoint written = WriteCheckpoint(root_, StateAt(2)).value();
  EXPECT_EQ(written.step(), 2);
  EXPECT_EQ(written.sha256().size(), 64u);
  CheckpointState state = Newest().value();
  EXPECT_EQ(state.step, 2);
  EXPECT_TRUE(at::equal(state.tensors.tensors["w"], at::full({3}, 2.0)));
}

TEST_F(CheckpointTest, ItRemembersTheStepsThatWereSkipped) {
  CheckpointState state = StateAt(7);
  state.skipped = {.total = 5, .in_a_row = 3};
  ASSERT_TRUE(WriteCheckpoint(root_, state).ok());
  EXPECT_EQ(Newest().value().skipped.total, 5);
  EXPECT_EQ(Newest().value().skipped.in_a_row, 3);
}

TEST_F(CheckpointTest, ADamagedCheckpointIsPassedOverForTheOneBefore) {
  ASSERT_TRUE(WriteCheckpoint(root_, StateAt(1)).ok());
  for (const char* damage : {"state.safetensors", "manifest.json"}) {
    ASSERT_TRUE(WriteCheckpoint(root_, StateAt(2)).ok());
    std::ofstream(FileAt(2, damage), std::ios::app) << "x";
    EXPECT_EQ(Newest().value().step, 1) << damage;
    const FoundCheckpoint found = FindNewestCheckpoint(root_, "job-1", "abc");
    ASSERT_EQ(found.passed_over.size(), 1u);
    EXPECT_NE(found.passed_over[0].find("step-00000002"), std::string::npos) << found.passed_over[0];
    ASSERT_TRUE(WriteCheckpoint(root_, StateAt(2)).ok());
    fs::remove(FileAt(2, damage));
    EXPECT_EQ(Newest().value().step, 1) << damage;
  }
}

TEST_F(CheckpointTest, AnUnfinishedWriteDoesNotExistAndIsCleanedUp) {
  ASSERT_TRUE(WriteCheckpoint(root_, StateAt(1)).ok());
  fs::create_directories(fs::path(root_) / "step-00000002.unfinished.1");
  EXPECT_EQ(Newest().value().step, 1);
  ASSERT_TRUE(RemoveOldCheckpoints(root_, 1, /*epoch=*/2).ok());
  EXPECT_FALSE(fs::exists(fs::path(root_) / "step-00000002.unfinished.1"));
}

TEST_F(CheckpointTest, AStaleAttemptLeavesTheNewOnesUnfinishedWriteAlone) {
  fs::create_directories(fs::path(root_) / "step-00000002.unfinished.5");
  ASSERT_TRUE(RemoveOldCheckpoints(root_, 1, /*epoch=*/4).ok());
  EXPECT_TRUE(fs::exists(fs::path(root_) / "step-00000002.unfinished.5"));
}

TEST_F(CheckpointTest, AnotherJobsOrRecipesCheckpointIsRefusedWithTheReason) {
  CheckpointState other = StateAt(3);
  other.job_id = "job-2";
  ASSERT_TRUE(WriteCheckpoint(root_, other).ok());
  const FoundCheckpoint found = FindNewestCheckpoint(root_, "job-1", "abc");
  EXPECT_EQ(found.folder, "");
  ASSERT_EQ(found.passed_over.size(), 1u);
  EXPECT_NE(found.passed_over[0].find("job-2"), std::string::npos);
}

TEST_F(CheckpointTest, AManifestIsReadWithoutTheState) {
  CheckpointState other = StateAt(3);
  other.job_id = "job-2";
  other.skipped = {.total = 5, .in_a_row = 3};
  ASSERT_TRUE(WriteCheckpoint(root_, other).ok());
  fs::remove(FileAt(3, "state.safetensors"));
  const CheckpointManifest manifest = ReadManifest(FileAt(3, "")).value();
  EXPECT_EQ(manifest.step, 3);
  EXPECT_EQ(manifest.job_id, "job-2");
  EXPECT_EQ(manifest.recipe_sha256, "abc");
  EXPECT_EQ(manifest.skipped.in_a_row, 3);
  // Whose it is, is told before its state is looked at.
  const FoundCheckpoint found = FindNewestCheckpoint(root_, "job-1", "abc");
  ASSERT_EQ(found.passed_over.size(), 1u);
  EXPECT_NE(found.passed_over[0].find("job-2"), std::string::npos) << found.passed_over[0];
}

TEST_F(CheckpointTest, AStateThatWasFoundWholeIsNotHashedAgain) {
  ASSERT_TRUE(WriteCheckpoint(root_, StateAt(1)).ok());
  const std::string folder = FindNewestCheckpoint(root_, "job-1", "abc").folder;
  ASSERT_FALSE(folder.empty());
  {
    std::fstream file(FileAt(1, "state.safetensors"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);  // Of the last number: its header reads as before.
    file.put('\x41');
  }
  EXPECT_EQ(ReadCheckpoint(folder).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(ReadCheckpoint(folder, /*verified=*/true).ok());
  EXPECT_EQ(FindNewestCheckpoint(root_, "job-1", "abc").folder, "");
}

TEST_F(CheckpointTest, OnlyTheNewestAreKept) {
  for (int64_t step : {1, 2, 3, 4}) ASSERT_TRUE(WriteCheckpoint(root_, StateAt(step)).ok());
  ASSERT_TRUE(RemoveOldCheckpoints(root_, 2, /*epoch=*/1).ok());
  EXPECT_FALSE(fs::exists(FileAt(2, "")));
  EXPECT_TRUE(fs::exists(FileAt(3, "manifest.json")));
  EXPECT_EQ(Newest().value().step, 4);
}

}  // namespace
}  // namespace ridgeline
