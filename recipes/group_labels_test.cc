// SPDX-License-Identifier: Apache-2.0
#include "recipes/group_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fmt/format.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string Refusal(const std::vector<std::string>& texts) {
  return std::string(ParseGroupLabels(texts).status().message());
}

TEST(GroupLabelsTest, KeysAndValuesAreTakenAsTyped) {
  EXPECT_THAT(*ParseGroupLabels({"site=north", "ridgeline.dev/net=ib-4_x", "empty=", "site=north"}),
              ElementsAre(Pair("empty", ""), Pair("ridgeline.dev/net", "ib-4_x"), Pair("site", "north")));
}

TEST(GroupLabelsTest, WhatIsNoLabelIsNamed) {
  EXPECT_THAT(Refusal({"site"}), HasSubstr("'site' is not key=value"));
  EXPECT_THAT(Refusal({"=north"}), HasSubstr("'=north' is not key=value"));
  EXPECT_THAT(Refusal({"a b=c"}), HasSubstr("its key may only have"));
  EXPECT_THAT(Refusal({"a=b=c"}), HasSubstr("its value may only have"));
  EXPECT_THAT(Refusal({"a=\x1b[31m"}), HasSubstr("'a=?[31m'"));
  EXPECT_THAT(Refusal({"a=" + std::string(64, 'x')}), HasSubstr("more than 63"));
  EXPECT_THAT(Refusal({"a=1", "a=2"}), HasSubstr("both '1' and '2'"));
  std::vector<std::string> many;
  for (int i = 0; i < 65; ++i) many.push_back(fmt::format("k{}=v", i));
  EXPECT_THAT(Refusal(many), HasSubstr("at most 64"));
}

}  // namespace
}  // namespace ridgeline
