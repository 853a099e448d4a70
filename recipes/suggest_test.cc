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

TEST(NearestValuesTest, ANumberThatIsNotThereMeansTheNearest) {
  const std::vector<std::string> formats = {"int1", "int2", "int4", "int8", "mxint8", "fp4", "fp8_e4m3", "fp8_e5m2"};
  EXPECT_THAT(NearestValues("int9", formats), ElementsAre("int8"));
  EXPECT_THAT(NearestValues("int16", formats), ElementsAre("int8"));
  EXPECT_THAT(NearestValues("int0", formats), ElementsAre("int1"));
  EXPECT_THAT(NearestValues("int6", formats), ElementsAre("int4", "int8"));
  EXPECT_THAT(NearestValues("fp9", formats), ElementsAre("fp8_e4m3", "fp8_e5m2"));
  EXPECT_THAT(NearestValues("int99999999999999999999", formats), IsEmpty());
  EXPECT_THAT(NearestValues("imt8", formats), ElementsAre("int8"));
  EXPECT_THAT(NearestValues("float16", {"float32", "bfloat16"}), ElementsAre("bfloat16"));
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
