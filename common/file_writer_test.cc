// SPDX-License-Identifier: Apache-2.0
#include "common/file_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <future>

#include "common/file.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ridgeline-output-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  size_t CountOfEntries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  fs::path folder_;
};

TEST_F(OutputFileTest, ANewFileAppearsWithItsFolders) {
  ASSERT_TRUE(WriteOutputFile(Path("new/folder/file"), "text").ok());
  EXPECT_EQ(ReadFile(Path("new/folder/file")).value(), "text");
}

TEST_F(OutputFileTest, APlainFileIsReplacedAndKeepsItsMode) {
  ASSERT_TRUE(WriteOutputFile(Path("file"), "a longer old text").ok());
  ASSERT_EQ(::chmod(Path("file").c_str(), 0600), 0);
  ASSERT_TRUE(WriteOutputFile(Path("file"), "new").ok());
  EXPECT_EQ(ReadFile(Path("file")).value(), "new");
  struct stat info {};
  ASSERT_EQ(::stat(Path("file").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
}

TEST_F(OutputFileTest, ALinkStaysALinkAndItsTargetIsReplaced) {
  fs::create_directories(Path("elsewhere"));
  ASSERT_TRUE(WriteFileAtomically(Path("elsewhere/target"), "old").ok());
  fs::create_symlink("elsewhere/target", Path("first"));
  fs::create_symlink(Path("first"), Path("second"));
  ASSERT_TRUE(WriteOutputFile(Path("second"), "new").ok());
  EXPECT_TRUE(fs::is_symlink(Path("first")));
  EXPECT_TRUE(fs::is_symlink(Path("second")));
  EXPECT_EQ(ReadFile(Path("elsewhere/target")).value(), "new");
  EXPECT_EQ(CountOfEntries(), 3u);
}

TEST_F(OutputFileTest, ALinkToNothingYetLeadsToANewFile) {
  fs::create_symlink("folder/target", Path("link"));
  ASSERT_TRUE(WriteOutputFile(Path("link"), "new").ok());
  EXPECT_TRUE(fs::is_symlink(Path("link")));
  EXPECT_EQ(ReadFile(Path("folder/target")).value(), "new");
}

TEST_F(OutputFileTest, LinksThatLeadRoundAreRefused) {
  fs::create_symlink("b", Path("a"));
  fs::create_symlink("a", Path("b"));
  EXPECT_EQ(WriteOutputFile(Path("a"), "new").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(fs::is_symlink(Path("a")));
}

TEST_F(OutputFileTest, FoldersAndSocketsAreRefusedAndStay) {
  fs::create_directories(Path("folder"));
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, Path("socket").c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  for (const char* name : {"folder", "socket"}) {
    const absl::Status status = WriteOutputFile(Path(name), "new");
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_NE(std::string(status.message()).find(Path(name)), std::string::npos) << status;
  }
  EXPECT_TRUE(fs::is_socket(Path("socket")));
  EXPECT_EQ(CountOfEntries(), 2u);
  ::close(fd);
}

TEST_F(OutputFileTest, AFifoIsWrittenThrough) {
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  std::future<std::string> read = std::async(std::launch::async, [&] { return ReadFile(Path("fifo")).value(); });
  ASSERT_TRUE(WriteOutputFile(Path("fifo"), "through").ok());
  EXPECT_EQ(read.get(), "through");
  EXPECT_TRUE(fs::is_fifo(Path("fifo")));
}

// A terminal of our own: its folder cannot be written to, so a mistake replaces nothing on this machine.
TEST_F(OutputFileTest, ADeviceIsWrittenThroughAlsoBehindALink) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(master, 0);
  ASSERT_EQ(::grantpt(master), 0);
  ASSERT_EQ(::unlockpt(master), 0);
  const std::string terminal = ::ptsname(master);
  fs::create_symlink(terminal, Path("link"));
  for (const std::string& path : {terminal, Path("link")}) {
    ASSERT_TRUE(WriteOutputFile(path, "through").ok()) << path;
    char text[8] = {};
    ASSERT_EQ(::read(master, text, 7), 7);
    EXPECT_STREQ(text, "through");
  }
  EXPECT_TRUE(fs::is_character_file(terminal));
  EXPECT_TRUE(fs::is_symlink(Path("link")));
  ::close(master);
}

TEST_F(OutputFileTest, AFullDeviceIsAnErrorAndStaysADevice) {
  // A node of our own, never the machine's.
  if (::mknod(Path("full").c_str(), S_IFCHR | 0666, makedev(1, 7)) != 0) GTEST_SKIP() << "only root makes device nodes";
  const absl::Status status = WriteOutputFile(Path("full"), "text");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_TRUE(fs::is_character_file(Path("full")));
}

TEST_F(OutputFileTest, AnOpenDescriptorIsAppendedTo) {
  ASSERT_TRUE(WriteFileAtomically(Path("log"), "before ").ok());
  const int fd = ::open(Path("log").c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(fd, 0);
  const std::string number = std::to_string(fd);
  fs::create_symlink("/dev/fd/" + number, Path("link"));
  ASSERT_TRUE(WriteOutputFile("/dev/fd/" + number, "one ").ok());
  ASSERT_TRUE(WriteOutputFile("/proc/self/fd/" + number, "two ").ok());
  ASSERT_TRUE(WriteOutputFile(Path("link"), "three").ok());
  ::close(fd);
  EXPECT_EQ(ReadFile(Path("log")).value(), "before one two three");
}

TEST_F(OutputFileTest, WhatIsNotPublishedLeavesNothingBehind) {
  ASSERT_TRUE(WriteFileAtomically(Path("file"), "old").ok());
  {
    absl::StatusOr<FileWriter> writer = FileWriter::Create(Path("file"));
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->Append("half").ok());
  }
  EXPECT_EQ(ReadFile(Path("file")).value(), "old");
  EXPECT_EQ(CountOfEntries(), 1u);
}

TEST_F(OutputFileTest, AFolderBehindALinkIsTheFolderItself) {
  fs::create_directories(Path("folder"));
  fs::create_symlink("folder", Path("link"));
  ASSERT_TRUE(WriteFileAtomically(Path("file"), "x").ok());
  EXPECT_EQ(ResolveOutputFolder(Path("link")).value(), Path("folder"));
  EXPECT_EQ(ResolveOutputFolder(Path("link/")).value(), Path("folder"));
  EXPECT_EQ(ResolveOutputFolder(Path("absent")).value(), Path("absent"));
  EXPECT_EQ(ResolveOutputFolder(Path("file")).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ResolveOutputFolder("/dev/null").status().code(), absl::StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace ridgeline
