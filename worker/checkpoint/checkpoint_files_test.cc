// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/file.h"
#include "common/sha256.h"
#include "fmt/format.h"
#include "model/safetensors.h"
#include "quant/autograd/torch_pch.h"
#include "worker/checkpoint/background_work.h"
#include "worker/checkpoint/checkpoint_source.h"
#include "worker/checkpoint/shard_file.h"
#include "worker/checkpoint/store/checkpoint_folders.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

class CheckpointFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = (fs::temp_directory_path() / ("ridgeline_checkpoint_files_test_" + std::to_string(::getpid()))).string();
  }
  void TearDown() override { fs::remove_all(root_); }

  // Of `ranks`: an own part of a matrix of seven rows each, and the scalar on the first.
  std::vector<StateShard> ShardsOf(int rank, int ranks) const {
    const int64_t begin = 7 * rank / ranks, end = 7 * (rank + 1) / ranks;
    std::vector<StateShard> shards;
    if (end > begin) shards.push_back({"w", {7, 3}, begin, matrix_.narrow(0, begin, end - begin)});
    if (rank == 0) shards.push_back({"steps", {}, 0, steps_});
    return shards;
  }

  absl::StatusOr<v1::Checkpoint> Write(int ranks) const {
    std::vector<std::string> parts;
    for (int rank = 0; rank < ranks; ++rank) {
      absl::StatusOr<CheckpointManifest> part =
          WriteShardFile(UnfinishedCheckpoint(root_, 4, 1), CheckpointFileName(rank, ranks),
                         HostCopies(ShardsOf(rank, ranks)).Wait(), false);
      if (!part.ok()) return part.status();
      part->step = 4;
      parts.push_back(FormatManifest(*part));
    }
    absl::StatusOr<CheckpointManifest> manifest = MergeManifests(parts);
    return manifest.ok() ? CommitCheckpoint(root_, 1, *manifest) : manifest.status();
  }
  std::string Folder() const { return (fs::path(root_) / "step-00000004").string(); }

  std::string root_;
  const at::Tensor matrix_ = at::randn({7, 3}), steps_ = at::full({}, 4, at::kLong);
};

TEST_F(CheckpointFilesTest, AnyRowsComeBackWhateverNumberOfRanksWroteThem) {
  for (int ranks : {1, 2, 4, 9}) {  // Of nine ranks, two have nothing.
    SCOPED_TRACE(ranks);
    ASSERT_TRUE(Write(ranks).ok());
    EXPECT_TRUE(VerifyCheckpoint(Folder(), ReadManifest(Folder()).value()).ok());
    auto source = CheckpointSource::Open(Folder()).value();
    for (int64_t begin = 0; begin < 7; ++begin)
      for (int64_t count = 0; count <= 7 - begin; ++count)
        EXPECT_TRUE(at::equal(source->Rows("w", {7, 3}, begin, count).value(), matrix_.narrow(0, begin, count)));
    EXPECT_TRUE(at::equal(source->Rows("steps", {}, 0, 1).value(), steps_));
  }
}

TEST_F(CheckpointFilesTest, OneFileOfTheFirstFormatIsReadAsEver) {
  SafetensorsFile state;
  state.tensors = {{"w", matrix_}, {"steps", steps_}};
  fs::create_directories(Folder());
  const std::string file = Folder() + "/state.safetensors";
  ASSERT_TRUE(WriteSafetensors(file, state).ok());
  std::ofstream(Folder() + "/manifest.json") << fmt::format(
      R"({{"files": [{{"bytes": {}, "name": "state.safetensors", "sha256": "{}"}}], "format": 1, "job_id": "job-1",
           "recipe_sha256": "abc", "skipped_in_a_row": 0, "skipped_steps": 3, "step": 4, "version": "0.1.0"}})",
      fs::file_size(file), Sha256HexOfFile(file).value());
  EXPECT_EQ(FindNewestCheckpoint(root_, "job-1", "abc").folder, Folder());
  auto source = CheckpointSource::Open(Folder()).value();
  EXPECT_EQ(source->manifest().skipped_steps, 3);
  EXPECT_TRUE(at::equal(source->Rows("w", {7, 3}, 2, 4).value(), matrix_.narrow(0, 2, 4)));
  EXPECT_TRUE(at::equal(source->Rows("steps", {}, 0, 1).value(), steps_));
}

TEST_F(CheckpointFilesTest, WhatDoesNotFitTheModelIsNamed) {
  ASSERT_TRUE(Write(2).ok());
  auto source = CheckpointSource::Open(Folder()).value();
  for (const auto& [name, sizes, said] :
       {std::tuple{std::string("v"), std::vector<int64_t>{7, 3}, std::string("lacks tensor 'v'")},
        {"w", {7, 4}, "tensor 'w' of shape (7, 3), the model one of (7, 4)"},
        {"w", {}, "tensor 'w'"}}) {
    const absl::Status status = source->Rows(name, sizes, 0, 1).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_NE(std::string(status.message()).find(said), std::string::npos) << status;
    EXPECT_NE(std::string(status.message()).find(Folder()), std::string::npos) << status;
  }
}

TEST_F(CheckpointFilesTest, AFileThatHoldsSomethingElseIsNamedWithItsTensor) {
  ASSERT_TRUE(Write(2).ok());
  SafetensorsFile other;
  other.tensors["w"] = at::zeros({2, 3});
  ASSERT_TRUE(WriteSafetensors(Folder() + "/" + CheckpointFileName(1, 2), other).ok());
  auto source = CheckpointSource::Open(Folder()).value();
  EXPECT_TRUE(source->Rows("w", {7, 3}, 0, 3).ok()) << "rows of the other file";
  const absl::Status status = source->Rows("w", {7, 3}, 0, 7).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_NE(std::string(status.message()).find(CheckpointFileName(1, 2) + " does not hold tensor 'w'"),
            std::string::npos)
      << status;
}

TEST_F(CheckpointFilesTest, CopiesStayAsTheyWere) {
  at::Tensor values = at::zeros({3});
  const HostCopies copies({{"v", {3}, 0, values}});
  values.fill_(1);
  EXPECT_TRUE(at::equal(copies.Wait()[0].rows, at::zeros({3})));
}

TEST_F(CheckpointFilesTest, AWriteThatIsGivenUpLeavesNoFile) {
  const std::string folder = UnfinishedCheckpoint(root_, 4, 1);
  const absl::Status status = WriteShardFile(folder, CheckpointFileName(0, 1), ShardsOf(0, 1), true).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted) << status;
  EXPECT_TRUE(fs::is_empty(folder));
}

TEST(BackgroundWorkTest, AnExceptionIsAnErrorAndTheEndIsSeenWithoutWaiting) {
  BackgroundWork<int> fails([](const std::atomic<bool>&) -> absl::StatusOr<int> { throw std::runtime_error("what"); });
  EXPECT_EQ(fails.Wait().status().message(), "what");
  EXPECT_TRUE(fails.is_done() && fails.has_failed());
}

TEST(BackgroundWorkTest, DestroyedItIsGivenUp) {
  BackgroundWork<int>([](const std::atomic<bool>& given_up) -> absl::StatusOr<int> {
    while (!given_up) std::this_thread::yield();
    return 1;
  });
}

}  // namespace
}  // namespace ridgeline
