// SPDX-License-Identifier: Apache-2.0
#include "net/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "net/secret_file.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;
using testing::Not;

class TokenFileTest : public testing::Test {
 protected:
  TokenFileTest() : path_(testing::TempDir() + "/ridgeline_token_" + std::to_string(getpid())) {}
  ~TokenFileTest() override { std::filesystem::remove(path_); }
  void Write(const std::string& content, mode_t mode) {
    std::ofstream(path_) << content;
    chmod(path_.c_str(), mode);
  }
  const std::string path_;
};

TEST(TokensTest, EachTokenIsAnotherAndHasTheForm) {
  std::set<std::string> tokens;
  for (int i = 0; i < 1'000; ++i) {
    const absl::StatusOr<std::string> token = MakeToken();
    ASSERT_TRUE(token.ok());
    EXPECT_TRUE(HasTokenForm(*token)) << *token;
    tokens.insert(*token);
  }
  EXPECT_EQ(tokens.size(), 1'000u);
}

TEST(TokensTest, AllBitsOfATokenAreRandom) {
  // Of 43 digits the last has 4 random bits; each of the others takes all 64 values sooner or later.
  std::vector<std::set<char>> seen(43);
  for (int i = 0; i < 4'000; ++i) {
    const std::string token = *MakeToken();
    for (size_t digit = 0; digit < seen.size(); ++digit) seen[digit].insert(token[3 + digit]);
  }
  for (size_t digit = 0; digit < seen.size(); ++digit) EXPECT_EQ(seen[digit].size(), digit == 42 ? 16u : 64u) << digit;
}

TEST(TokensTest, OtherTextsHaveNotTheForm) {
  const std::string token = *MakeToken();
  for (const std::string& text : {std::string(), token + "A", token.substr(0, 45), "rx" + token.substr(2),
                                  "rl_" + std::string(43, '+'), "rl_" + std::string(43, '\0')}) {
    EXPECT_FALSE(HasTokenForm(text));
  }
}

TEST(TokensTest, HashIsSha256AndComparesInFull) {
  EXPECT_EQ(HashToken("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_TRUE(SameSecret("abc", "abc"));
  EXPECT_FALSE(SameSecret("abc", "abd"));
  EXPECT_FALSE(SameSecret("abc", "abcd"));
  EXPECT_FALSE(SameSecret("", "a"));
}

TEST_F(TokenFileTest, TokenIsReadWithoutWhiteSpaceAroundIt) {
  const std::string token = *MakeToken();
  Write("  " + token + "\r\n", 0600);
  EXPECT_EQ(*ReadTokenFile(path_), token);
  Write(token, 0640);  // A group may share one, as in a Kubernetes volume.
  EXPECT_EQ(*ReadTokenFile(path_), token);
}

TEST_F(TokenFileTest, FileThatOthersCanReadIsRefused) {
  Write(*MakeToken(), 0644);
  const absl::Status status = ReadTokenFile(path_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("chmod 600"));
}

TEST_F(TokenFileTest, WhatIsNoTokenIsRefusedAndNotShown) {
  Write("hunter2\n", 0600);
  const absl::Status status = ReadTokenFile(path_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hunter2")));
  EXPECT_EQ(ReadTokenFile(path_ + "-none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(TokenFileTest, WrittenFileIsItsOwnersAloneAlsoWhereThereWasAnOpenOne) {
  Write("old", 0666);
  ASSERT_TRUE(WriteSecretFile(path_, *MakeToken() + "\n").ok());
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_TRUE(ReadTokenFile(path_).ok());
}

}  // namespace
}  // namespace ridgeline
