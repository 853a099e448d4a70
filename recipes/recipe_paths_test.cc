// SPDX-License-Identifier: Apache-2.0
#include "recipes/recipe_paths.h"

#include <gmock/gmock.h>

#include <set>

#include "recipes/schema.h"

namespace ridgeline {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

bool SoundsLikeAPath(const std::string& name) {
  for (const char* word : {"path", "file", "folder", "dir"}) {
    if (name == word || name.ends_with(std::string("_") + word)) return true;
  }
  return false;
}

void Walk(const Descriptor* message, std::set<const Descriptor*>* seen, std::vector<const FieldDescriptor*>* texts) {
  if (!seen->insert(message).second) return;
  for (int i = 0; i < message->field_count(); ++i) {
    const FieldDescriptor* field = message->field(i);
    if (field->message_type() != nullptr) Walk(field->message_type(), seen, texts);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) texts->push_back(field);
  }
}

TEST(ReplacePaths, EveryTextThatIsCalledAPathIsMarkedAsOne) {
  std::set<const Descriptor*> seen;
  std::vector<const FieldDescriptor*> texts;
  Walk(v1::Recipe::descriptor(), &seen, &texts);
  int paths = 0;
  for (const FieldDescriptor* field : texts) {
    EXPECT_EQ(recipe_internal::DocOf(field).path(), SoundsLikeAPath(field->name())) << field->full_name();
    paths += recipe_internal::DocOf(field).path();
  }
  EXPECT_GE(paths, 3);
}

TEST(ReplacePaths, ReachesWhatIsSetAndNothingElse) {
  v1::Recipe recipe;
  recipe.set_name("n");
  recipe.mutable_validation()->set_second_path("b");
  (*recipe.mutable_sweep()->mutable_parameters())["model.path"].add_values("c");
  (*recipe.mutable_sweep()->add_cases()->mutable_set())["labels.path"] = "d";
  std::vector<std::string> met;
  ReplacePaths(&recipe, [&](const std::string& path, const v1::FieldDoc&) {
    met.push_back(path);
    return path + "!";
  });
  EXPECT_THAT(met, testing::UnorderedElementsAre("b", "c"));
  EXPECT_EQ(recipe.validation().second_path(), "b!");
  EXPECT_EQ(recipe.sweep().parameters().at("model.path").values(0), "c!");
  EXPECT_EQ(recipe.sweep().cases(0).set().at("labels.path"), "d");
  EXPECT_FALSE(recipe.has_dataset());
}

}  // namespace
}  // namespace ridgeline
