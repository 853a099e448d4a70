// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/recipe_input.h"

#include <gmock/gmock.h>

#include <filesystem>

namespace ridgeline {
namespace {

using testing::ElementsAre;

TEST(ResolveDatasetPaths, MakesEveryPathOfASweepAbsolute) {
  v1::Recipe recipe;
  recipe.mutable_dataset()->set_path("data/a");
  (*recipe.mutable_sweep()->mutable_parameters())["dataset.path"].add_values("data/b");
  (*recipe.mutable_sweep()->add_cases()->mutable_set())["dataset.path"] = "/data/c";
  ResolveDatasetPaths(&recipe);
  const std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(recipe.dataset().path(), here + "/data/a");
  EXPECT_THAT(recipe.sweep().parameters().at("dataset.path").values(), ElementsAre(here + "/data/b"));
  EXPECT_EQ(recipe.sweep().cases(0).set().at("dataset.path"), "/data/c");
}

}  // namespace
}  // namespace ridgeline
