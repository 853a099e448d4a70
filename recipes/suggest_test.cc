// SPDX-License-Identifier: Apache-2.0
// Edit distance, and which keys are near enough to be meant.
#include "recipes/suggest.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline::recipe_internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(EditDistanceTest, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("steps", "step"), 1u);
  EXPECT_EQ(EditDistance("steps", "stpes"), 1u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("abcdef", "badcfe"), 3u);
}

TEST(NearestTest, NothingIsMeantByWhatIsFarFromAll) {
  EXPECT_THAT(Nearest("stpes", {"steps", "seed"}), ElementsAre("steps"));
  EXPECT_THAT(Nearest("beta", {"beta1", "beta2", "eps"}), ElementsAre("beta1", "beta2"));
  EXPECT_THAT(Nearest("x", {"lr"}), IsEmpty());
  EXPECT_THAT(Nearest("a", {"b"}), IsEmpty());
  EXPECT_THAT(Nearest("", {"a"}), IsEmpty());
  EXPECT_THAT(Nearest(std::string(1'000, 'a'), {std::string(999, 'a')}), IsEmpty());
}

TEST(NearestValuesTest, ANameThatSaysMoreThanOursMeansOurs) {
  EXPECT_THAT(NearestValues("fp4_e2m1", {"fp4", "fp6_e2m3"}), ElementsAre("fp4"));
  EXPECT_THAT(NearestValues("fp6_e2m4", {"fp4", "fp6_e2m3"}), ElementsAre("fp6_e2m3"));
}

TEST(SuggestKeysTest, ARightKeyElsewhereComesBeforeASimilarOneHere) {
  EXPECT_THAT(SuggestKeys(v1::Training::descriptor(), "training", "lr"), ElementsAre("optimizer.lr"));
  EXPECT_THAT(SuggestKeys(v1::Training::descriptor(), "training", "step"), ElementsAre("training.steps"));
  EXPECT_THAT(SuggestKeys(v1::Recipe::descriptor(), "", "interval"),
              ElementsAre("checkpoint.interval", "validation.interval"));
  EXPECT_THAT(SuggestKeys(v1::Recipe::descriptor(), "", "warmup_step"), ElementsAre("lr_scheduler.warmup_steps"));
}

}  // namespace
}  // namespace ridgeline::recipe_internal
