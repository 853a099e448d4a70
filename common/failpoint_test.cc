// SPDX-License-Identifier: Apache-2.0
#include "common/failpoint.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace ridgeline {
namespace {

class FailpointTest : public testing::Test {
 protected:
  void TearDown() override { DisarmFailpoints(); }
};

TEST_F(FailpointTest, IsInertUntilItIsArmed) {
  EXPECT_FALSE(Failpoint("a"));
  ArmFailpoint("b", FailpointAction::kFault);
  EXPECT_FALSE(Failpoint("a"));
  EXPECT_TRUE(Failpoint("b"));
  DisarmFailpoints();
  EXPECT_FALSE(Failpoint("b"));
}

TEST_F(FailpointTest, WaitsForItsVisit) {
  ASSERT_TRUE(ArmFailpoints("a=fault@3,b=fault").ok());
  EXPECT_FALSE(Failpoint("a"));
  EXPECT_FALSE(Failpoint("a"));
  EXPECT_TRUE(Failpoint("a"));
  EXPECT_TRUE(Failpoint("b"));
}

TEST_F(FailpointTest, ACrashEndsTheProcessAtOnce) {
  ArmFailpoint("a", FailpointAction::kCrash);
  EXPECT_EXIT(Failpoint("a"), testing::ExitedWithCode(86), "");
}

TEST_F(FailpointTest, TextThatIsNoneIsRefused) {
  for (const char* text : {"a", "a=", "a=stop", "a=crash@0", "a=crash@x", "a=crash@"})
    EXPECT_EQ(ArmFailpoints(text).code(), absl::StatusCode::kInvalidArgument) << text;
}

TEST_F(FailpointTest, TheEnvironmentArmsNothingButCrashes) {
  setenv("RIDGELINE_FAILPOINTS", "a=fault", 1);
  EXPECT_EQ(ArmFailpointsFromEnvironment().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(Failpoint("a"));
  unsetenv("RIDGELINE_FAILPOINTS");
  EXPECT_TRUE(ArmFailpointsFromEnvironment().ok());
}

}  // namespace
}  // namespace ridgeline
