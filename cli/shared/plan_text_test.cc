// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/plan_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "recipes/recipe_reader.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;
using testing::Not;

PlanReport ReportOf(const std::string& memory_gib) {
  RecipeReadResult read = ReadRecipe("dataset: {path: nowhere}\nmodel: {name: gemma3-1b}\nname: big\n", "recipe",
                                     {{"resources.memory", memory_gib}});
  EXPECT_TRUE(read.problems.empty());
  ApplyRecipeDefaults(&read.recipe);
  PlanReport report{.device = FindDevice("h100").value()};
  report.plans.push_back(PlanJob(read.recipe, 0, 1, report.device).value());
  return report;
}

TEST(PlanTextTest, WarnsWhereARankMayHaveLessMemoryThanTheJobNeeds) {
  const PlanReport low = ReportOf("8");
  const double needed_gib = low.plans[0].needed_bytes(low.device) / (1 << 30);
  ASSERT_GT(needed_gib, 16);
  EXPECT_THAT(PlanReportText(low, Style()), HasSubstr("warning: big, ranks 1: resources.memory asks for 8 GiB a rank"));
  ASSERT_EQ(PlanReportJson(low)["warnings"].size(), 1U);
  EXPECT_EQ(PlanReportJson(low)["plans"][0]["asked_memory_bytes"], int64_t{8} << 30);
  const std::string enough = std::to_string(static_cast<int>(needed_gib) + 1);
  EXPECT_THAT(PlanReportText(low, Style()), HasSubstr("set it to " + enough + "\n"));
  for (const std::string& memory_gib : {enough, std::string("0")}) {
    EXPECT_THAT(PlanReportText(ReportOf(memory_gib), Style()), Not(HasSubstr("warning:"))) << memory_gib;
    EXPECT_EQ(PlanReportJson(ReportOf(memory_gib))["warnings"].size(), 0U) << memory_gib;
  }
}

}  // namespace
}  // namespace ridgeline
