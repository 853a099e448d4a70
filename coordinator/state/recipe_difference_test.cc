// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/recipe_difference.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "recipes/recipe_reader.h"

namespace ridgeline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::util::MessageDifferencer;

constexpr char kParent[] =
    "name: sweep\n"
    "dataset: {path: data/bible}\n"
    "labels: {team: blue, study: a}\n"
    "quant: {estimator: ridge, weight: {format: int1}, activation: {format: int1}, skip: [a, b]}\n";

v1::Recipe Read(const std::string& yaml) {
  const RecipeReadResult read = ReadRecipe(yaml, "test.yaml", {});
  EXPECT_TRUE(read.problems.empty()) << read.problems[0].ToString();
  return read.recipe;
}

v1::Recipe Complete(v1::Recipe recipe) {
  ApplyRecipeDefaults(&recipe);
  return recipe;
}

void ExpectRestored(const v1::Recipe& base, const v1::Recipe& changed) {
  const v1::RecipeDifference difference = DifferenceBetween(base, changed);
  v1::Recipe restored = base;
  restored.clear_sweep();
  ApplyDifference(difference, &restored);
  EXPECT_TRUE(MessageDifferencer::Equals(restored, changed)) << difference.DebugString();
}

TEST(RecipeDifferenceTest, EveryChildOfASweepIsRestored) {
  for (const char* sweep :
       {"{method: grid, parameters: {optimizer.lr: [1e-3, 3e-3], training.steps: [10, 20]}}",
        "{method: grid, parameters: {labels.team: [red, blue], quant.estimator: [ridge_trust, ste, quest]}}",
        "{method: cases, cases: [{name: a, set: {labels.new: x}}, {name: b, set: {quant.hadamard: true}}]}"}) {
    const v1::Recipe parent = Read(std::string(kParent) + "sweep: " + sweep + "\n");
    const auto children = ExpandSweep(parent);
    ASSERT_TRUE(children.ok()) << children.status();
    ASSERT_GT(children->size(), 1u);
    for (const v1::Recipe& child : *children) ExpectRestored(Complete(parent), child);
  }
}

TEST(RecipeDifferenceTest, AddedChangedAndClearedKeysAreRestoredBothWays) {
  const v1::Recipe base = Complete(Read(kParent));
  std::vector<v1::Recipe> variants(7, base);
  variants[0].clear_quant();
  variants[1].clear_labels();
  variants[2].mutable_labels()->erase("team");
  variants[3].mutable_quant()->clear_skip();
  variants[4].mutable_quant()->add_skip("c");
  variants[5].mutable_quant()->mutable_weight()->clear_format();
  variants[6].mutable_quant()->clear_weight();
  variants[6].mutable_quant()->mutable_weight();  // There, and empty.
  for (const v1::Recipe& variant : variants) {
    ExpectRestored(base, variant);
    ExpectRestored(variant, base);
    for (const v1::Recipe& other : variants) ExpectRestored(other, variant);
  }
}

TEST(RecipeDifferenceTest, WhatIsEqualTakesNoRoom) {
  v1::Recipe parent = Read(kParent);
  for (int i = 0; i < 5000; ++i) {
    (*parent.mutable_labels())["label-" + std::to_string(i)] = std::string(40, 'x');
    parent.mutable_quant()->add_skip("layer-" + std::to_string(i));
  }
  v1::Recipe child = Complete(parent);
  child.set_name("child");
  child.mutable_quant()->set_estimator("ste");
  (*child.mutable_labels())["label-7"] = "mine";
  ExpectRestored(Complete(parent), child);
  EXPECT_LT(DifferenceBetween(Complete(parent), child).ByteSizeLong(), 100u);
}

TEST(RecipeDifferenceTest, LabelsThatAGroupMustHaveAreRestoredBothWays) {
  const v1::Recipe base = Complete(Read(kParent));
  std::vector<v1::Recipe> variants(4, base);
  (*variants[1].mutable_resources()->mutable_labels())["zone"] = "a";
  (*variants[2].mutable_resources()->mutable_labels())["zone"] = "b";
  variants[3] = variants[1];
  (*variants[3].mutable_resources()->mutable_labels())["disk"] = "fast";
  for (const v1::Recipe& variant : variants) {
    for (const v1::Recipe& other : variants) ExpectRestored(other, variant);
  }
}

}  // namespace
}  // namespace ridgeline
