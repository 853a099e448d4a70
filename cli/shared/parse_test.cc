// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ridgeline {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(ParseSelector, JoinsRepeatedAndCommaSeparatedParts) {
  const auto selector = ParseSelector({"study=demo,user=me", "gpu="});
  ASSERT_TRUE(selector.ok());
  EXPECT_THAT(*selector, ElementsAre(Pair("gpu", ""), Pair("study", "demo"), Pair("user", "me")));
}

TEST(ParseSelector, RefusesPartsThatAreNotKeyValue) {
  EXPECT_THAT(std::string(ParseSelector({"study"}).status().message()), HasSubstr("'study' is not key=value"));
  EXPECT_FALSE(ParseSelector({"=x"}).ok());
}

TEST(ParseSelector, RefusesTwoValuesForOneKey) {
  EXPECT_THAT(std::string(ParseSelector({"a=1,a=2"}).status().message()), HasSubstr("both '1' and '2'"));
  EXPECT_TRUE(ParseSelector({"a=1,a=1"}).ok());
}

TEST(ParseOverride, SplitsAtTheFirstEquals) {
  EXPECT_THAT(*ParseOverride("labels.note=a=b,c"), Pair("labels.note", "a=b,c"));
  EXPECT_EQ(ParseOverride("steps").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(ParseOverride("=3").ok());
}

TEST(ParseDuration, KnowsUnits) {
  EXPECT_EQ(*ParseDuration("90"), milliseconds(90'000));
  EXPECT_EQ(*ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(*ParseDuration("1.5m"), milliseconds(90'000));
  EXPECT_EQ(*ParseDuration("2h"), milliseconds(7'200'000));
  EXPECT_EQ(*ParseDuration("1d"), milliseconds(86'400'000));
}

TEST(ParseDuration, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "soon", "-1s", "5 parsecs", "nan", "inf", "1e300d"}) {
    EXPECT_EQ(ParseDuration(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ParseJobStates, TakesAnyCase) {
  EXPECT_THAT(*ParseJobStates({"running,QUEUED", "Failed"}), ElementsAre(v1::RUNNING, v1::QUEUED, v1::FAILED));
}

TEST(ParseJobStates, NamesTheAllowedOnes) {
  EXPECT_THAT(std::string(ParseJobStates({"runing"}).status().message()), HasSubstr("allowed: queued, running"));
  EXPECT_FALSE(ParseJobStates({"job_state_unspecified"}).ok());
}

}  // namespace
}  // namespace ridgeline
