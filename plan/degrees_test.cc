// SPDX-License-Identifier: Apache-2.0
#include "plan/degrees.h"

#include <gmock/gmock.h>

#include <string>
#include <utility>

namespace ridgeline {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using Pair = std::pair<int64_t, int64_t>;

v1::Parallelism Parallel(int shard, int replicate) {
  v1::Parallelism parallelism;
  parallelism.set_shard_degree(shard);
  parallelism.set_replicate_degree(replicate);
  return parallelism;
}

Pair Of(const v1::Parallelism& parallelism, int64_t ranks) {
  const Degrees degrees = DegreesOf(parallelism, ranks).value();
  return {degrees.shard, degrees.replicate};
}

std::string ErrorOf(int shard, int replicate, int64_t ranks) {
  const absl::Status status = DegreesOf(Parallel(shard, replicate), ranks).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  return std::string(status.message());
}

TEST(DegreesTest, ZeroTakesWhatTheOtherLeaves) {
  EXPECT_EQ(Of(Parallel(0, 0), 8), Pair(8, 1));
  EXPECT_EQ(Of(Parallel(0, 2), 8), Pair(4, 2));
  EXPECT_EQ(Of(Parallel(4, 0), 8), Pair(4, 2));
  EXPECT_EQ(Of(Parallel(1, 0), 8), Pair(1, 8));
  EXPECT_EQ(Of(Parallel(4, 2), 8), Pair(4, 2));
  EXPECT_EQ(Of(Parallel(0, 0), 1), Pair(1, 1));
}

TEST(DegreesTest, ARecipeWithoutParallelismHoldsEverythingOnEveryRank) {
  EXPECT_EQ(Of(v1::Parallelism(), 8), Pair(1, 8));
  EXPECT_TRUE(ReshardsAfterForward(v1::Parallelism()));
}

TEST(DegreesTest, DegreesThatDoNotComeToTheRanksAreAnErrorWithKeyAndRemedy) {
  EXPECT_THAT(ErrorOf(3, 0, 8), AllOf(StartsWith("parallelism.shard_degree: 8 ranks"), HasSubstr("divisor")));
  EXPECT_THAT(ErrorOf(0, 3, 8), AllOf(StartsWith("parallelism.replicate_degree: 8 ranks"), HasSubstr("divisor")));
  EXPECT_THAT(ErrorOf(4, 4, 8), AllOf(StartsWith("parallelism.replicate_degree: 4 copies"), HasSubstr("on 16 ranks")));
  EXPECT_THAT(ErrorOf(1, 1, 8), HasSubstr("set it to 0"));
  EXPECT_THAT(ErrorOf(16, 0, 8), HasSubstr("groups of 16"));
}

}  // namespace
}  // namespace ridgeline
