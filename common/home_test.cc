// SPDX-License-Identifier: Apache-2.0
#include "common/home.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

namespace ridgeline {
namespace {

class HomeTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* home = std::getenv("HOME"); home != nullptr) before_ = home;
  }
  void TearDown() override {
    if (before_.has_value()) ::setenv("HOME", before_->c_str(), 1);
  }
  std::optional<std::string> before_;
};

TEST_F(HomeTest, IsWhatHomeSays) {
  ::setenv("HOME", "/somewhere", 1);
  EXPECT_EQ(HomeFolder().value(), "/somewhere");
}

TEST_F(HomeTest, WithoutAnAbsoluteHomeItIsWhatTheSystemSays) {
  const passwd* user = ::getpwuid(::getuid());
  if (user == nullptr) GTEST_SKIP() << "the system does not know this user";
  for (const char* home : {"", "relative"}) {
    ::setenv("HOME", home, 1);
    EXPECT_EQ(HomeFolder().value(), user->pw_dir) << home;
  }
  ::unsetenv("HOME");
  EXPECT_EQ(HomeFolder().value(), user->pw_dir);
}

TEST_F(HomeTest, OnlyATildeThatStandsForItIsExpanded) {
  ::setenv("HOME", "/somewhere", 1);
  EXPECT_EQ(ExpandTilde("~"), "/somewhere");
  EXPECT_EQ(ExpandTilde("~/a/b"), "/somewhere/a/b");
  for (const char* path : {"", "a", "a/~", "~a", "~a/b", "/~"}) EXPECT_EQ(ExpandTilde(path), path);
}

}  // namespace
}  // namespace ridgeline
