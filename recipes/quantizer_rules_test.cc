// SPDX-License-Identifier: Apache-2.0
#include "recipes/quantizer_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "fmt/format.h"
#include "method/estimator_traits.h"
#include "recipes/recipe_reader.h"
#include "recipes/tensor_quant.h"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

v1::Quant Filled(const std::string& estimator, const std::string& weight, const std::string& activation,
                 const std::string& of_activation = "") {
  v1::Recipe recipe;
  recipe.mutable_quant()->set_estimator(estimator);
  recipe.mutable_quant()->mutable_weight()->set_format(weight);
  recipe.mutable_quant()->mutable_activation()->set_format(activation);
  if (!of_activation.empty()) recipe.mutable_quant()->mutable_activation()->set_estimator(of_activation);
  ApplyRecipeDefaults(&recipe);
  return recipe.quant();
}

std::string FirstIssue(const v1::Quant& quant) {
  std::vector<recipe_internal::Issue> issues;
  recipe_internal::CheckQuantizers(quant, &issues);
  return issues.empty() ? "" : issues[0].key + ": " + issues[0].message + " (" + issues[0].remedy + ")";
}

v1::Quant FilledFrom(const std::string& yaml) {
  RecipeReadResult read = ReadRecipe(yaml, "r", {});
  ApplyRecipeDefaults(&read.recipe);
  return read.recipe.quant();
}

TEST(QuantizerRulesTest, FormatsAloneMeanRidgeTrustInRotatedBlocks) {
  const v1::Quant quant = FilledFrom("quant: {weight: {format: int1}, activation: {format: int4}}");
  EXPECT_EQ(quant.estimator(), "ridge_trust");
  EXPECT_EQ(quant.grid(), "gaussian");
  EXPECT_TRUE(quant.hadamard());
  EXPECT_EQ(FirstIssue(quant), "");
  EXPECT_EQ(FilledFrom("quant: {lambda: 0.1}").estimator(), "none");
}

// Whether it rotates the blocks of ridge_trust, which must be what the recipe gets.
bool Rotates(const std::string& yaml) {
  const v1::Quant quant = FilledFrom(yaml);
  EXPECT_EQ(quant.estimator(), "ridge_trust") << yaml;
  EXPECT_TRUE(IsQuantized(quant, quant.weight())) << yaml;
  return quant.hadamard();
}

TEST(QuantizerRulesTest, TheDefaultEstimatorRotatesOnlyBlocksThatFitAndWhereNothingElseIsSaid) {
  EXPECT_FALSE(Rotates("model: {name: gpt-nano}\nquant: {weight: {format: int1, block: 256}}"));
  EXPECT_FALSE(Rotates("model: {name: gpt-nano, dim: 192}\nquant: {weight: {format: int1}}"));
  EXPECT_FALSE(Rotates("quant: {weight: {format: int4, granularity: row}}"));
  EXPECT_FALSE(Rotates("quant: {hadamard: false, weight: {format: int1}}"));
  EXPECT_FALSE(Rotates("quant: {estimator: ridge_trust, weight: {format: int1}}"));
  EXPECT_TRUE(Rotates("model: {path: w.gguf}\nquant: {weight: {format: int1}}"));
}

TEST(QuantizerRulesTest, TheEstimatorsThatARemedyNamesHaveTheFormat) {
  EXPECT_EQ(recipe_internal::EstimatorsFor("int4"), "ridge, ste, quest or ridge_trust");
  EXPECT_EQ(recipe_internal::EstimatorsFor("bitmod_fp4"), "ridge or ste");
  EXPECT_EQ(recipe_internal::EstimatorsFor("mxfp4"), "ste");
  int named = 0;
  for (Format format : EveryFormat()) {
    const std::string name(FormatName(format)), names = recipe_internal::EstimatorsFor(name);
    for (const EstimatorTraits& traits : EveryEstimator()) {
      if (!absl::StrContains(" " + absl::StrReplaceAll(names, {{",", ""}}) + " ", fmt::format(" {} ", traits.name)))
        continue;
      ++named;
      EXPECT_EQ(FirstIssue(Filled(std::string(traits.name), name, "none")), "") << traits.name << " " << name;
    }
  }
  EXPECT_GE(named, 60);
}

TEST(QuantizerRulesTest, WhatTheDefaultEstimatorHasNoDefinitionOfStillNeedsOne) {
  const v1::Quant mx = FilledFrom("quant: {weight: {format: mxfp4}}");
  EXPECT_EQ(mx.estimator() + " " + mx.weight().format(), "none mxfp4");
  EXPECT_EQ(FilledFrom("quant: {estimator: none, weight: {format: int1}}").estimator(), "none");
}

// Naming the estimator and the format must be enough, and where the table has no definition the recipe has none.
TEST(QuantizerRulesTest, DefaultsMakeEveryFormatOfEveryEstimatorValidAndOthersAreRefused) {
  int valid = 0, refused = 0;
  for (const EstimatorTraits& traits : EveryEstimator())
    for (Format format : EveryFormat())
      for (Side side : {Side::kWeight, Side::kActivation}) {
        const std::string name(FormatName(format));
        const bool is_weight = side == Side::kWeight;
        const v1::Quant quant = Filled(std::string(traits.name), is_weight ? name : "none", is_weight ? "none" : name);
        const bool is_defined = traits.accepts(format) && traits.is_defined_for(side);
        EXPECT_EQ(FirstIssue(quant).empty(), is_defined)
            << traits.name << " " << name << " " << SideName(side) << ": " << FirstIssue(quant);
        (is_defined ? valid : refused) += 1;
      }
  EXPECT_GE(valid, 200);
  EXPECT_GE(refused, 200);
}

TEST(QuantizerRulesTest, BitnetAndTorchaoHaveTheGranularityOfTheirPapers) {
  v1::Quant bitnet = Filled("bitnet", "ternary", "int8"), torchao = Filled("torchao", "int4", "int8");
  EXPECT_EQ(bitnet.weight().granularity(), "tensor");
  EXPECT_EQ(bitnet.activation().granularity(), "row");
  EXPECT_EQ(torchao.weight().scheme() + " " + torchao.weight().granularity(), "linear block");
  EXPECT_EQ(torchao.activation().scheme() + " " + torchao.activation().granularity(), "affine row");
}

TEST(QuantizerRulesTest, ThePenaltyIsNextToNoneUnlessGradientsPassTheFit) {
  EXPECT_EQ(Filled("ridge", "int4", "int4").lambda(), 0.01);
  EXPECT_EQ(Filled("ridge_trust", "int4", "int4").lambda(), 1e-4);
  EXPECT_EQ(Filled("ridge", "int4", "int4", "ridge_trust").lambda(), 0.01);
  EXPECT_EQ(FilledFrom("quant: {weight: {format: int1}}").lambda(), 1e-4);
  EXPECT_EQ(FilledFrom("quant: {estimator: ridge, fit_gradient: detached, weight: {format: int1}}").lambda(), 1e-4);
  EXPECT_EQ(FilledFrom("quant: {estimator: ridge_trust, fit_gradient: graph, weight: {format: int1}}").lambda(), 0.01);
  EXPECT_EQ(FilledFrom("quant: {estimator: ridge_trust, lambda: 0.1, weight: {format: int1}}").lambda(), 0.1);
}

TEST(QuantizerRulesTest, MxAndNvFormatsBringTheirBlock) {
  v1::Quant quant = Filled("ste", "mxfp4", "nvfp4");
  EXPECT_EQ(quant.weight().block(), 32);
  EXPECT_EQ(quant.activation().block(), 16);
  quant.mutable_weight()->set_block(64);
  EXPECT_THAT(FirstIssue(quant),
              HasSubstr("quant.weight.block: mxfp4 has no blocks of 64 (use 32, or remove the key)"));
}

TEST(QuantizerRulesTest, WhatHasNoDefinitionIsRefusedWithItsPlace) {
  EXPECT_THAT(FirstIssue(Filled("bitnet", "int4", "int8")),
              HasSubstr("quant.weight.format: bitnet has no int4 (use ternary"));
  EXPECT_THAT(FirstIssue(Filled("ridge", "int4", "mxfp4")), HasSubstr("quant.activation.format: ridge has no mxfp4"));
  EXPECT_THAT(FirstIssue(Filled("gaussws", "int4", "int8")), HasSubstr("gaussws is an estimator of weights only"));
  EXPECT_THAT(FirstIssue(Filled("paretoq", "int5", "none")), HasSubstr("paretoq has no int5 (use int1, ternary"));
  EXPECT_THAT(FirstIssue(Filled("asq", "int4", "int4")),
              HasSubstr("quant.weight.format: asq is an estimator of activations only (use none, or another estimator "
                        "for this tensor)"));
  v1::Quant affine = Filled("ste", "fp4", "none");
  affine.mutable_weight()->set_scheme("affine");
  EXPECT_THAT(FirstIssue(affine), HasSubstr("fp4 has no affine scheme"));
  v1::Quant gaussian = Filled("ste", "mxfp4", "none");
  gaussian.set_grid("gaussian");
  EXPECT_THAT(FirstIssue(gaussian), HasSubstr("quant.grid: mxfp4 has no gaussian grid"));
  v1::Quant rotated = Filled("bitnet", "ternary", "none");
  rotated.set_hadamard(true);
  EXPECT_THAT(FirstIssue(rotated), HasSubstr("quant.weight.granularity: tensor has no blocks"));
}

TEST(QuantizerRulesTest, EachTensorMayHaveAnEstimatorOfItsOwnAndThenItsGrid) {
  v1::Quant post = Filled("post", "int4", "int4", "asq"), noise = Filled("gaussws", "int6", "int4", "quest");
  EXPECT_EQ(FirstIssue(post), "");
  EXPECT_EQ(post.weight().granularity() + " " + post.activation().granularity(), "row row");
  EXPECT_EQ(FirstIssue(noise), "");
  EXPECT_EQ(GridOfTensor(noise, noise.weight()) + " " + GridOfTensor(noise, noise.activation()), "minmax gaussian");
  EXPECT_EQ(EstimatorLabel(noise), "gaussws+quest");
  noise.mutable_activation()->set_grid("minmax");
  EXPECT_THAT(FirstIssue(noise), HasSubstr("quant.activation.grid: quest has no minmax grid (use gaussian, or remove"));
}

TEST(QuantizerRulesTest, ALearnedScaleBelongsToRowsOrToTheTensor) {
  v1::Quant weight = Filled("lsq", "int4", "none"), input = Filled("lsq", "none", "int4");
  EXPECT_EQ(weight.weight().granularity(), "tensor");
  weight.mutable_weight()->set_granularity("row");
  EXPECT_EQ(FirstIssue(weight), "");
  weight.mutable_weight()->set_granularity("block");
  EXPECT_THAT(FirstIssue(weight), HasSubstr("quant.weight.granularity: lsq has no granularity block (use row or"));
  input.mutable_activation()->set_granularity("row");
  EXPECT_THAT(FirstIssue(input), HasSubstr("quant.activation.granularity: lsq has no granularity row (use tensor"));
}

TEST(QuantizerRulesTest, SignsNeedAHadamardMatrix) {
  v1::Quant quant = Filled("ste", "int4", "int4");
  quant.set_hadamard_signs(true);
  EXPECT_THAT(FirstIssue(quant), HasSubstr("quant.hadamard_signs: signs come before a Hadamard matrix"));
  quant.set_hadamard(true);
  EXPECT_EQ(FirstIssue(quant), "");
}

TEST(QuantizerRulesTest, OnlyRidgeHasAFitToDetachAndOnlyQuestAndRidgeTrustAMask) {
  v1::Quant ridge = Filled("ridge", "int4", "none"), quest = Filled("quest", "int1", "int1");
  v1::Quant ste = Filled("ste", "int4", "none");
  for (v1::Quant* quant : {&ridge, &quest, &ste}) quant->set_fit_gradient("detached");
  EXPECT_EQ(FirstIssue(ridge), "");
  EXPECT_THAT(FirstIssue(quest),
              HasSubstr("quant.fit_gradient: quest has no fit to detach (remove the key, or use ridge"));
  ridge.set_grid_gradient("graph");
  EXPECT_THAT(FirstIssue(ridge), HasSubstr("quant.grid_gradient: fit_gradient is detached"));
  for (v1::Quant* quant : {&quest, &ste}) quant->set_fit_gradient("graph"), quant->set_trust(1.2);
  EXPECT_EQ(FirstIssue(quest), "");
  EXPECT_THAT(FirstIssue(ste), HasSubstr("quant.trust: ste has no trust mask"));
}

TEST(QuantizerRulesTest, NoiseOnActivationsIsRefusedHereAsByTheQuantizersThemselves) {
  for (const char* estimator : {"gaussws", "diffq"}) {
    const v1::Quant quant = Filled(estimator, "none", "int4");
    EXPECT_THAT(FirstIssue(quant), HasSubstr("is an estimator of weights only")) << estimator;
    EXPECT_FALSE(ValidateQuantizerSpec(SpecOfTensor(quant, Side::kActivation).value(), Side::kActivation).ok());
  }
}

TEST(QuantizerRulesTest, TernaryWeightsOfRidgeTrustAreTrustedUpToTheirLevelUnlessTheRecipeSaysOtherwise) {
  EXPECT_EQ(Filled("ridge_trust", "ternary", "ternary").weight().trust(), 1);
  EXPECT_FALSE(Filled("ridge_trust", "ternary", "ternary").activation().has_trust());
  EXPECT_FALSE(Filled("ridge_trust", "int1", "ternary").weight().has_trust());
  EXPECT_FALSE(Filled("quest", "ternary", "ternary").weight().has_trust());
  const std::string ternary = "quant: {estimator: ridge_trust, weight: {format: ternary";
  EXPECT_EQ(FilledFrom(ternary + ", trust: 1.2}}").weight().trust(), 1.2);
  EXPECT_FALSE(FilledFrom(ternary + "}, trust: 1.5}").weight().has_trust());
}

TEST(QuantizerRulesTest, ATensorsOwnMaskNeedsAnEstimatorOfThatTensorThatHasOne) {
  v1::Quant quant = Filled("ridge_trust", "ternary", "none");
  quant.mutable_weight()->set_trust(1.5);
  EXPECT_EQ(FirstIssue(quant), "");
  quant.mutable_activation()->set_trust(1);
  EXPECT_THAT(FirstIssue(quant), HasSubstr("quant.activation.trust: activations are not quantized (remove the key, or "
                                           "set quant.activation.format)"));
  quant.mutable_activation()->clear_trust();
  quant.mutable_weight()->set_estimator("ste");
  EXPECT_THAT(FirstIssue(quant),
              HasSubstr("quant.weight.trust: ste has no trust mask (remove the key, or use quest or ridge_trust)"));
}

}  // namespace
}  // namespace ridgeline
