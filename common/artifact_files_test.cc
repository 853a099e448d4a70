// SPDX-License-Identifier: Apache-2.0
#include "common/artifact_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/sha256.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using std::string_literals::operator""s;

TEST(RelativePathTest, WhatStaysBelowItsFolderPasses) {
  for (const std::string& path : {"model"s, "config.json"s, "a/b/c"s, "..."s, ".hidden"s, "Größe/模型.txt"s,
                                  std::string(255, 'x'), "a b"s, "C:\\x"s})
    EXPECT_TRUE(CheckRelativePath(path).ok()) << path;
}

TEST(RelativePathTest, WhatLeadsElsewhereOrCannotBePrintedIsRefused) {
  for (const std::string& path : {""s,
                                  "/"s,
                                  "/etc/passwd"s,
                                  ".."s,
                                  "."s,
                                  "../x"s,
                                  "a/../b"s,
                                  "a/.."s,
                                  "a/./b"s,
                                  "a//b"s,
                                  "a/"s,
                                  "a\0b"s,
                                  "\0"s,
                                  "a\nb"s,
                                  "\x1b[31m"s,
                                  "\x7f"s,
                                  "\xc2\x85"s,
                                  "\xff"s,
                                  std::string(256, 'x'),
                                  std::string(5000, '/')}) {
    const absl::Status status = CheckRelativePath(path);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << path;
    EXPECT_EQ(status.message().find('\x1b'), std::string::npos);
    EXPECT_EQ(CheckPlainName(path).code(), absl::StatusCode::kInvalidArgument) << path;
  }
  EXPECT_EQ(CheckPlainName("a/b").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(CheckPlainName("model").ok());
}

TEST(Sha256OfFilesTest, IsThatOfTheLinesOfSha256sum) {
  EXPECT_EQ(Sha256OfFiles({{"b", "22"}, {"a", "11"}}), Sha256Hex("11  a\n22  b\n"));
}

class OpenBelowTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ridgeline-below-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    fs::create_directories(folder_ / "root" / "a" / "b");
    std::ofstream(folder_ / "root" / "a" / "b" / "file") << "text";
    std::ofstream(folder_ / "outside") << "secret";
  }
  void TearDown() override { fs::remove_all(folder_); }

  absl::StatusCode Open(const std::string& path) const {
    const auto fd = OpenBelow((folder_ / "root").string(), path);
    if (fd.ok()) ::close(*fd);
    return fd.status().code();
  }

  fs::path folder_;
};

TEST_F(OpenBelowTest, OpensPlainFilesAndFollowsNoLink) {
  EXPECT_EQ(Open("a/b/file"), absl::StatusCode::kOk);
  EXPECT_EQ(Open("a/b/missing"), absl::StatusCode::kNotFound);
  EXPECT_EQ(Open("missing/file"), absl::StatusCode::kNotFound);
  EXPECT_EQ(Open("a/b"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Open("../outside"), absl::StatusCode::kInvalidArgument);
  fs::create_symlink(folder_ / "outside", folder_ / "root" / "link");
  fs::create_symlink("b", folder_ / "root" / "a" / "folder-link");
  ASSERT_EQ(mkfifo((folder_ / "root" / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(Open("link"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Open("a/folder-link/file"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Open("a/b/file/more"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Open("fifo"), absl::StatusCode::kInvalidArgument);
  // The root itself may be reached through a link: whoever runs the service chose it.
  fs::create_symlink(folder_ / "root", folder_ / "root-link");
  const auto fd = OpenBelow((folder_ / "root-link").string(), "a/b/file");
  ASSERT_TRUE(fd.ok()) << fd.status();
  ::close(*fd);
}

}  // namespace
}  // namespace ridgeline
