// SPDX-License-Identifier: Apache-2.0
#include "worker/rpc/spool_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/file.h"
#include "fmt/format.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kPatience(60'000);

class SpoolKeeperTest : public testing::Test {
 protected:
  SpoolKeeperTest() : folder_(fs::temp_directory_path() / fmt::format("ridgeline_keeper_test_{}", ::getpid())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    logger_before_ = spdlog::default_logger();
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
  }
  ~SpoolKeeperTest() override {
    spdlog::set_default_logger(logger_before_);
    fs::remove_all(folder_);
  }

  std::string Path() const { return (folder_ / "group" / "spool").string(); }
  // Nothing can be created below a file.
  void BlockTheFolder() const { std::ofstream(folder_ / "group") << "in the way"; }
  size_t Complaints() const {
    size_t count = 0;
    const std::string text = log_.str();
    for (size_t at = text.find("in memory only"); at != std::string::npos; at = text.find("in memory only", at + 1))
      ++count;
    return count;
  }

  const fs::path folder_;
  std::shared_ptr<spdlog::logger> logger_before_;
  std::ostringstream log_;
};

TEST_F(SpoolKeeperTest, TheFileIsWhatWasSaidLastAndGoesWithTheLastRecord) {
  SpoolKeeper keeper(Path());
  for (const char* bytes : {"one", "two", "three"}) keeper.Keep(bytes);
  ASSERT_TRUE(keeper.WaitUntilKept(kPatience));
  EXPECT_EQ(*ReadFile(Path()), "three");
  keeper.Keep("");
  ASSERT_TRUE(keeper.WaitUntilKept(kPatience));
  EXPECT_FALSE(fs::exists(Path()));
}

TEST_F(SpoolKeeperTest, AFileThatWasThereStaysUntilSomethingIsSaid) {
  ASSERT_TRUE(WriteFileAtomically(Path(), "earlier").ok());
  { SpoolKeeper keeper(Path()); }
  EXPECT_EQ(*ReadFile(Path()), "earlier");
  {
    SpoolKeeper keeper(Path());
    keeper.Keep("");
  }
  EXPECT_FALSE(fs::exists(Path()));
}

TEST_F(SpoolKeeperTest, TheDestructorWritesWhatWasSaidLast) {
  {
    SpoolKeeper keeper(Path());
    for (int i = 0; i <= 100; ++i) keeper.Keep(fmt::format("{}", i));
  }
  EXPECT_EQ(*ReadFile(Path()), "100");
}

TEST_F(SpoolKeeperTest, ADiskThatTakesNothingIsToldOnceAndTriedAgain) {
  BlockTheFolder();
  SpoolKeeper keeper(Path(), {.retry_interval = std::chrono::milliseconds(5)});
  for (int i = 0; i < 3; ++i) {
    keeper.Keep(fmt::format("{}", i));
    EXPECT_FALSE(keeper.WaitUntilKept(kPatience));
    keeper.Keep("");
    EXPECT_TRUE(keeper.WaitUntilKept(kPatience));
  }
  keeper.Keep("2");
  fs::remove(folder_ / "group");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!keeper.WaitUntilKept(std::chrono::milliseconds(5)) && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(*ReadFile(Path()), "2");
  EXPECT_EQ(Complaints(), 1u);
}

TEST_F(SpoolKeeperTest, ItEndsWhileTheDiskTakesNothing) {
  BlockTheFolder();
  SpoolKeeper keeper(Path(), {.retry_interval = std::chrono::hours(1)});
  keeper.Keep("something");
  EXPECT_FALSE(keeper.WaitUntilKept(kPatience));
}

}  // namespace
}  // namespace ridgeline
