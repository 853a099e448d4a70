// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "recipes/testing.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Problems(const std::string& lines) { return ProblemsOf("dataset: {path: x}\n" + lines); }

TEST(ParallelismRulesTest, DegreesThatSomeGroupHasAreTaken) {
  EXPECT_THAT(Problems("parallelism: {shard_degree: 4}\n"), IsEmpty()) << "groups may be larger than resources.ranks";
  EXPECT_THAT(Problems("parallelism: {shard_degree: 4, replicate_degree: 2}\n"), IsEmpty());
  EXPECT_THAT(Problems("parallelism: {shard_degree: 4, replicate_degree: 2}\nresources: {ranks: 8}\n"), IsEmpty());
  EXPECT_THAT(Problems("parallelism: {shard_degree: 0, replicate_degree: 2}\nresources: {ranks: 9}\n"), IsEmpty());
  EXPECT_THAT(Problems("parallelism: {shard_degree: 4}\nresources: {ranks: 9}\n"), IsEmpty());
}

TEST(ParallelismRulesTest, FewerRanksThanAreAskedForFitNoGroup) {
  EXPECT_THAT(Problems("parallelism: {shard_degree: 4, replicate_degree: 2}\nresources: {ranks: 9}\n"),
              ElementsAre("r:2:50: parallelism.replicate_degree: 2 copies on 4 ranks each are 8 ranks, and "
                          "resources.ranks asks for 9 or more (set it to 0, which takes as many copies as there is "
                          "room for)"));
}

TEST(ParallelismRulesTest, KeysOfSharedBlocksNeedSharedBlocks) {
  EXPECT_THAT(Problems("parallelism: {gradient_dtype: int8}\n"),
              ElementsAre("r:2:31: parallelism.gradient_dtype: int8 is about shared blocks, and "
                          "parallelism.shard_degree is 1 (set parallelism.shard_degree to 0 or to a number over 1, or "
                          "this to float32)"));
  EXPECT_THAT(Problems("parallelism: {shard_degree: 1, reshard_after_forward: false}\n"),
              ElementsAre("r:2:55: parallelism.reshard_after_forward: false is about shared blocks, and "
                          "parallelism.shard_degree is 1 (set parallelism.shard_degree to 0 or to a number over 1, or "
                          "this to true)"));
  EXPECT_THAT(Problems("parallelism: {shard_degree: 2, gradient_dtype: int8, reshard_after_forward: false}\n"),
              IsEmpty());
  EXPECT_THAT(Problems("parallelism: {shard_degree: 0, gradient_dtype: bfloat16}\n"), IsEmpty());
}

}  // namespace
}  // namespace ridgeline
