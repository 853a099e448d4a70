// SPDX-License-Identifier: Apache-2.0
#include "recipes/exit_reason.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "recipes/schema.h"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<v1::ExitReason> AllReasons() {
  std::vector<v1::ExitReason> reasons;
  for (int number = v1::ExitReason_MIN; number <= v1::ExitReason_MAX; ++number)
    if (v1::ExitReason_IsValid(number) && number != v1::EXIT_REASON_UNSPECIFIED)
      reasons.push_back(static_cast<v1::ExitReason>(number));
  return reasons;
}

TEST(ExitReasonTest, EveryReasonHasANameAndARemedyOfItsOwn) {
  std::set<std::string> remedies;
  for (const v1::ExitReason reason : AllReasons()) {
    SCOPED_TRACE(v1::ExitReason_Name(reason));
    EXPECT_EQ("EXIT_" + ExitReasonName(reason), v1::ExitReason_Name(reason));
    const std::string remedy(Remedy(reason));
    EXPECT_GT(remedy.size(), 20u);
    EXPECT_NE(remedy.back(), '.');
    EXPECT_THAT(remedy, Not(HasSubstr("\n")));
    EXPECT_TRUE(remedies.insert(remedy).second) << "said of another reason, too";
  }
}

TEST(ExitReasonTest, WhatIsNoReasonHasNeither) {
  for (const int number : {0, 1000}) {
    EXPECT_EQ(ExitReasonName(static_cast<v1::ExitReason>(number)), "");
    EXPECT_EQ(Remedy(static_cast<v1::ExitReason>(number)), "");
  }
}

// Words with a dot are keys of a recipe: those that the schema no longer has would send people astray.
TEST(ExitReasonTest, RemediesNameKeysThatThereAre) {
  int keys = 0;
  for (const v1::ExitReason reason : AllReasons()) {
    std::string word;
    for (const char c : std::string(Remedy(reason)) + " ") {
      const bool is_part = (c >= 'a' && c <= 'z') || c == '_' || c == '.';
      if (is_part) {
        word += c;
        continue;
      }
      if (word.find('.') != std::string::npos) {
        ++keys;
        EXPECT_TRUE(recipe_internal::ResolveKey(word).has_value()) << word;
      }
      word.clear();
    }
  }
  EXPECT_GT(keys, 8);
}

}  // namespace
}  // namespace ridgeline
