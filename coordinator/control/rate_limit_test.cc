// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/rate_limit.h"

#include <gtest/gtest.h>

namespace ridgeline {
namespace {

TEST(RateLimitTest, ABurstIsTakenAndThenWhatComesInTime) {
  ManualClock clock;
  RateLimit limit(&clock, {.per_second = 10, .burst = 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.Take("a").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(limit.Take("a")));
  clock.Advance(99);
  EXPECT_FALSE(limit.Take("a").ok());
  clock.Advance(1);
  EXPECT_TRUE(limit.Take("a").ok());
  EXPECT_FALSE(limit.Take("a").ok());
  clock.Advance(3'600'000);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.Take("a").ok());
  EXPECT_FALSE(limit.Take("a").ok()) << "an hour's rest is no more than a burst";
}

TEST(RateLimitTest, OneCallerDoesNotSpendWhatAnotherHas) {
  ManualClock clock;
  RateLimit limit(&clock, {.per_second = 1, .burst = 1});
  EXPECT_TRUE(limit.Take("a").ok());
  EXPECT_FALSE(limit.Take("a").ok());
  EXPECT_TRUE(limit.Take("b").ok());
}

}  // namespace
}  // namespace ridgeline
