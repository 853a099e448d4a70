// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/recipe_input.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

namespace ridgeline {
namespace {

using testing::ElementsAre;

class ResolvePathsTest : public testing::Test {
 protected:
  const std::string here_ = std::filesystem::current_path().string();
};

TEST_F(ResolvePathsTest, EveryPathOfARecipeBecomesAbsolute) {
  v1::Recipe recipe;
  recipe.mutable_dataset()->set_path("data/a");
  recipe.mutable_model()->set_path("models/b");
  recipe.mutable_validation()->set_second_path("../c");
  recipe.set_name("data/a");
  ResolvePaths(&recipe);
  EXPECT_EQ(recipe.dataset().path(), here_ + "/data/a");
  EXPECT_EQ(recipe.model().path(), here_ + "/models/b");
  EXPECT_EQ(recipe.validation().second_path(), (std::filesystem::path(here_).parent_path() / "c").string());
  EXPECT_EQ(recipe.name(), "data/a");
}

TEST_F(ResolvePathsTest, ATildeIsTheHomeFolder) {
  v1::Recipe recipe;
  recipe.mutable_dataset()->set_path("~/a");
  recipe.mutable_model()->set_path("~/b");
  recipe.mutable_validation()->set_second_path("~");
  const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  setenv("HOME", "/somewhere", 1);
  ResolvePaths(&recipe);
  setenv("HOME", home.c_str(), 1);
  EXPECT_EQ(recipe.dataset().path(), "/somewhere/a");
  EXPECT_EQ(recipe.model().path(), "/somewhere/b");
  EXPECT_EQ(recipe.validation().second_path(), "/somewhere");
}

TEST_F(ResolvePathsTest, AModelsNameStaysUnlessAPathHasIt) {
  v1::Recipe recipe;
  recipe.mutable_model()->set_path("gemma3-270m");
  ResolvePaths(&recipe);
  EXPECT_EQ(recipe.model().path(), "gemma3-270m");
  const std::string folder = "ridgeline-model-" + std::to_string(getpid());
  std::filesystem::create_directories(folder);
  recipe.mutable_model()->set_path(folder);
  ResolvePaths(&recipe);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(recipe.model().path(), here_ + "/" + folder);
}

TEST_F(ResolvePathsTest, EveryPathOfASweepBecomesAbsolute) {
  v1::Recipe recipe;
  auto* parameters = recipe.mutable_sweep()->mutable_parameters();
  (*parameters)["dataset.path"].add_values("data/b");
  (*parameters)["model.path"].add_values("./b");
  (*parameters)["model.path"].add_values("gemma3-270m");
  (*parameters)["model.name"].add_values("gpt/nano");
  auto* set = recipe.mutable_sweep()->add_cases()->mutable_set();
  (*set)["dataset.path"] = "/data/c";
  (*set)["validation.second_path"] = "d";
  ResolvePaths(&recipe);
  EXPECT_THAT(recipe.sweep().parameters().at("dataset.path").values(), ElementsAre(here_ + "/data/b"));
  EXPECT_THAT(recipe.sweep().parameters().at("model.path").values(), ElementsAre(here_ + "/b", "gemma3-270m"));
  EXPECT_THAT(recipe.sweep().parameters().at("model.name").values(), ElementsAre("gpt/nano"));
  EXPECT_EQ(recipe.sweep().cases(0).set().at("dataset.path"), "/data/c");
  EXPECT_EQ(recipe.sweep().cases(0).set().at("validation.second_path"), here_ + "/d");
}

}  // namespace
}  // namespace ridgeline
