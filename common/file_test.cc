// SPDX-License-Identifier: Apache-2.0
#include "common/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace ridgeline {
namespace {

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("ridgeline_file_test_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::filesystem::path folder_;
};

TEST_F(FileTest, WriteThenReadGivesTheSameBytes) {
  std::string content("a\0b\n", 4);
  ASSERT_TRUE(WriteFileAtomically(Path("new/folder/file"), content).ok());
  EXPECT_EQ(ReadFile(Path("new/folder/file")).value(), content);
}

TEST_F(FileTest, MissingFileIsNotFoundAndNamesThePath) {
  absl::Status status = ReadFile(Path("absent")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(std::string(status.message()).find("absent"), std::string::npos);
}

TEST_F(FileTest, FullDiskIsResourceExhausted) {
  for (const int error : {ENOSPC, EDQUOT}) {
    EXPECT_EQ(ErrnoStatus(error, "writing").code(), absl::StatusCode::kResourceExhausted);
    EXPECT_TRUE(IsNoRoom(ErrnoStatus(error, "writing")));
  }
  for (const int error : {ENOMEM, EIO, EFBIG, EACCES}) EXPECT_FALSE(IsNoRoom(ErrnoStatus(error, "writing")));
  EXPECT_FALSE(IsNoRoom(absl::ResourceExhaustedError("out of memory")));
  EXPECT_FALSE(IsNoRoom(absl::OkStatus()));
}

TEST_F(FileTest, FileOverTheLimitIsRefused) {
  ASSERT_TRUE(WriteFileAtomically(Path("big"), std::string(100, 'x')).ok());
  EXPECT_EQ(ReadFile(Path("big"), 10).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(FileTest, AFailedWriteKeepsTheOldFile) {
  ASSERT_TRUE(WriteFileAtomically(Path("kept"), "old").ok());
  // The temporary file's name is taken by a folder, so that the write cannot start.
  std::filesystem::create_directories(Path("kept.tmp." + std::to_string(::getpid())));
  EXPECT_FALSE(WriteFileAtomically(Path("kept"), "new").ok());
  EXPECT_EQ(ReadFile(Path("kept")).value(), "old");
}

}  // namespace
}  // namespace ridgeline
