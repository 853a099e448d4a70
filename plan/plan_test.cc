// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "fmt/format.h"
#include "model/small_gemma.h"
#include "plan/network.h"
#include "recipes/recipe_reader.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;

constexpr double kGib = 1 << 30;

v1::Recipe RecipeOf(const std::string& model, const std::vector<RecipeOverride>& set = {}) {
  RecipeReadResult read = ReadRecipe("dataset: {path: nowhere}\nmodel: {name: " + model + "}\n", "recipe", set);
  EXPECT_TRUE(read.problems.empty()) << read.problems.front().ToString();
  ApplyRecipeDefaults(&read.recipe);
  return read.recipe;
}

Device H100() { return FindDevice("h100").value(); }

Plan PlanOf(const v1::Recipe& recipe, int64_t ranks = 1) { return PlanJob(recipe, 0, ranks, H100()).value(); }

// The published counts: 268M, 1.00B and 3.88B, GPT-2's 124M.
TEST(PlanTest, RealModelsHaveTheirPublishedSizes) {
  EXPECT_EQ(PlanOf(RecipeOf("gemma3-270m")).parameters.total, 268'098'176);
  EXPECT_EQ(PlanOf(RecipeOf("gemma3-1b")).parameters.total, 999'885'952);
  EXPECT_EQ(PlanOf(RecipeOf("gemma3-4b")).parameters.total, 3'880'099'328);
  EXPECT_EQ(PlanOf(RecipeOf("gpt2")).parameters.total, 124'439'808);
}

TEST(PlanTest, StateIsSixteenBytesAParameterInFloat32AndDoesNotShrinkWithRanks) {
  const v1::Recipe recipe = RecipeOf("gemma3-4b", {{"training.global_batch_size", "64"}});
  const Plan one = PlanOf(recipe), many = PlanOf(recipe, 64);
  EXPECT_EQ(one.memory.state_bytes(), 16 * one.parameters.total);
  EXPECT_EQ(many.memory.state_bytes(), one.memory.state_bytes());
  EXPECT_EQ(many.memory.activations_bytes * 64, one.memory.activations_bytes);
}

TEST(PlanTest, Bfloat16HalvesGradientsOnlyWhereNothingIsAccumulated) {
  const std::vector<RecipeOverride> once = {{"training.dtype", "bfloat16"}, {"training.global_batch_size", "8"}};
  std::vector<RecipeOverride> twice = once;
  twice.emplace_back("training.local_batch_size", "4");
  const Plan whole = PlanOf(RecipeOf("gpt2", once)), parts = PlanOf(RecipeOf("gpt2", twice));
  EXPECT_EQ(whole.memory.gradients_bytes, 2 * whole.parameters.total);
  EXPECT_EQ(parts.memory.gradients_bytes, 4 * parts.parameters.total);
  EXPECT_EQ(2 * parts.memory.activations_bytes, whole.memory.activations_bytes);
  EXPECT_EQ(PlanOf(RecipeOf("gpt2", twice), 2).memory.gradients_bytes, 2 * parts.parameters.total);
}

TEST(PlanTest, CheckpointedActivationsAreOneRowABlockForAThirdMoreWork) {
  const Plan kept = PlanOf(RecipeOf("gemma3-1b")),
             again = PlanOf(RecipeOf("gemma3-1b", {{"activation_checkpoint.mode", "full"}}));
  EXPECT_EQ(again.memory.activations_bytes, int64_t{26 + 2} * 12 * 128 * 1152 * 4);
  EXPECT_LT(again.memory.peak_bytes(), kept.memory.peak_bytes());
  EXPECT_GT(again.work.flops, kept.work.flops);
  EXPECT_LT(again.work.flops, kept.work.flops * 4 / 3);
}

TEST(PlanTest, LogitsNeverExistWhole) {
  const Plan plan = PlanOf(RecipeOf(
      "gemma3-270m",
      {{"training.seq_len", "32768"}, {"training.global_batch_size", "1"}, {"activation_checkpoint.mode", "full"}}));
  EXPECT_LT(plan.memory.working_bytes, 8 * kGib);  // 34 GB if all were there at once.
}

TEST(PlanTest, ATeacherIsASecondSetOfWeights) {
  v1::Recipe recipe = RecipeOf("gemma3-270m", {{"training.dtype", "bfloat16"}});
  recipe.mutable_training()->mutable_distill()->set_weight(0.5);
  const Plan plan = PlanOf(recipe);
  EXPECT_EQ(plan.memory.teacher_bytes, plan.memory.masters_bytes + plan.memory.copies_bytes);
  EXPECT_GT(plan.memory.working_bytes,
            PlanOf(RecipeOf("gemma3-270m", {{"training.dtype", "bfloat16"}})).memory.working_bytes);
}

TEST(PlanTest, SkippedLayersAreNotQuantizedAndHaveNoCopy) {
  const std::vector<RecipeOverride> a1w1 = {{"quant.estimator", "ridge"}, {"quant.weight.format", "int1"}};
  v1::Recipe recipe = RecipeOf("gpt2", a1w1);
  const Plan all = PlanOf(recipe);
  EXPECT_EQ(all.parameters.quantized, all.parameters.linears);
  // Values, and six numbers of each block's grid and regression.
  EXPECT_EQ(all.memory.copies_bytes, 4 * all.parameters.linears + 6 * 4 * all.parameters.linears / 128);
  recipe.mutable_quant()->add_skip("h.0.*");
  const Plan most = PlanOf(recipe);
  EXPECT_EQ(most.parameters.quantized * 12, all.parameters.quantized * 11);
  EXPECT_EQ(most.memory.copies_bytes * 12, all.memory.copies_bytes * 11);
  EXPECT_GT(most.cost.storage_bytes, all.cost.storage_bytes);
}

// gpt2 has 12 blocks of four linear layers with inputs of their own, 3 + 1 + 4 + 1 times 768 rows a block.
TEST(PlanTest, LearnedScalesAreCounted) {
  const Plan plain = PlanOf(RecipeOf("gpt2"));
  auto plan_of = [](const char* weight, const char* activation) {
    return PlanOf(RecipeOf("gpt2", {{"quant.weight.estimator", weight},
                                    {"quant.activation.estimator", activation},
                                    {"quant.weight.format", "int4"},
                                    {"quant.activation.format", "int4"}}));
  };
  const Plan lsq = plan_of("lsq", "lsq"), asq = plan_of("post", "asq");
  EXPECT_EQ(lsq.parameters.learned, 2 * 48);  // A scale of each weight and of each input.
  EXPECT_EQ(asq.parameters.learned, 12 * 9 * 768 + 48 * (1 + 8 * 3 + 8 + 8 + 1));
  for (const Plan* plan : {&lsq, &asq}) {
    EXPECT_EQ(plan->parameters.total, plain.parameters.total + plan->parameters.learned);
    EXPECT_EQ(plan->memory.masters_bytes, 4 * plan->parameters.total);
    EXPECT_EQ(plan->memory.optimizer_bytes, 8 * plan->parameters.total);
  }
  EXPECT_EQ(PlanOf(RecipeOf("gpt2", {{"quant.estimator", "ste"}, {"quant.weight.format", "int4"}})).parameters.learned,
            0);
}

TEST(PlanTest, ATeacherLearnsNoScales) {
  v1::Recipe recipe = RecipeOf("gpt2", {{"quant.estimator", "lsq"}, {"quant.weight.format", "int4"}});
  recipe.mutable_training()->mutable_distill()->set_weight(0.5);
  EXPECT_EQ(PlanOf(recipe).memory.teacher_bytes, 4 * PlanOf(RecipeOf("gpt2")).parameters.total);
}

TEST(PlanTest, MasksAreThoseThatTheRecipeSaysForBothTensorsOrForOne) {
  std::vector<RecipeOverride> set = {
      {"quant.estimator", "ridge_trust"}, {"quant.weight.format", "ternary"}, {"quant.activation.format", "int4"}};
  const Quantizers own = QuantizersFromRecipe(RecipeOf("gpt2", set)).value();
  EXPECT_EQ(own.weight.trust, 1);  // Of ternary weights.
  EXPECT_EQ(own.activation.trust, 0);
  set.push_back({"quant.trust", "1.5"});
  const Quantizers said = QuantizersFromRecipe(RecipeOf("gpt2", set)).value();
  EXPECT_EQ(said.weight.trust, 1.5);
  EXPECT_EQ(said.activation.trust, 1.5);
  set.push_back({"quant.activation.trust", "1.2"});
  const Quantizers apart = QuantizersFromRecipe(RecipeOf("gpt2", set)).value();
  EXPECT_EQ(apart.weight.trust, 1.5);
  EXPECT_EQ(apart.activation.trust, 1.2);
}

TEST(PlanTest, ARingSendsNearlyTwiceTheGradientsHoweverManyRanks) {
  const v1::Recipe recipe = RecipeOf("gpt2");
  EXPECT_EQ(PlanOf(recipe, 1).work.traffic.total(), 0);
  const double gradient_bytes = 4.0 * static_cast<double>(PlanOf(recipe).parameters.total);
  EXPECT_DOUBLE_EQ(PlanOf(recipe, 2).work.traffic.total(), gradient_bytes);
  EXPECT_DOUBLE_EQ(PlanOf(recipe, 8).work.traffic.total(), gradient_bytes * 7 / 4);
}

// Six a parameter and token, the rule of thumb: embeddings are looked up but also the head, and attention adds little.
TEST(PlanTest, AStepIsSixFlopsAParameterAndToken) {
  const Plan plan = PlanOf(RecipeOf("gemma3-1b", {{"training.seq_len", "256"}}));
  EXPECT_NEAR(plan.work.flops / (6.0 * 12 * 256 * static_cast<double>(plan.parameters.total)), 1, 0.02);
  EXPECT_NEAR(plan.work.compute_seconds, plan.work.flops / (0.4 * 67e12), 1e-6);
}

TEST(PlanTest, AWindowSavesAttentionsWorkOnLongSequencesAlone) {
  auto flops = [](const char* model, const char* seq_len) {
    return PlanOf(RecipeOf(model, {{"training.seq_len", seq_len}, {"training.global_batch_size", "1"}})).work.flops;
  };
  const double growth = flops("gemma3-270m", "32768") / flops("gemma3-270m", "512");
  EXPECT_GT(growth, 64.0);
  EXPECT_LT(growth, 100.0);  // 203 if all layers saw everything.
}

TEST(PlanTest, AMeasuredRateReplacesTheShareOfThePeak) {
  Device cpu = FindDevice("cpu").value();
  const v1::Recipe recipe = RecipeOf("gpt2");
  EXPECT_EQ(PlanJob(recipe, 0, 2, cpu)->work.step_seconds(), 0);
  cpu.sustained_flops = 1e11;
  const Plan plan = PlanJob(recipe, 0, 2, cpu).value();
  EXPECT_DOUBLE_EQ(plan.work.compute_seconds, plan.work.flops / 1e11);
  EXPECT_GT(plan.work.step_seconds(), plan.work.compute_seconds);
}

TEST(PlanTest, FitsSaysWhetherThePeakIsUnderTheDevicesMemory) {
  const std::vector<RecipeOverride> batch = {{"training.global_batch_size", "1"}, {"training.seq_len", "1024"}};
  const Plan plan = PlanOf(RecipeOf("gemma3-4b", batch));
  EXPECT_TRUE(plan.fits(H100()));
  EXPECT_FALSE(
      PlanOf(RecipeOf("gemma3-4b", {{"training.global_batch_size", "8"}, {"training.seq_len", "2048"}})).fits(H100()));
}

TEST(PlanTest, RanksWithoutASequenceAreIdle) {
  const v1::Recipe recipe = RecipeOf("gpt2", {{"training.global_batch_size", "12"}});
  EXPECT_EQ(PlanOf(recipe, 12).idle_ranks, 0);
  EXPECT_EQ(PlanOf(recipe, 64).idle_ranks, 52);
}

TEST(PlanTest, AnUnknownVocabularyIsAnErrorWithTheRemedy) {
  const auto plan = PlanJob(RecipeOf("gpt-nano"), 0, 1, H100());
  EXPECT_TRUE(absl::IsInvalidArgument(plan.status()));
  EXPECT_THAT(std::string(plan.status().message()), HasSubstr("--vocab-size"));
  EXPECT_TRUE(PlanJob(RecipeOf("gpt-nano"), 70, 1, H100()).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(PlanJob(RecipeOf("gpt2"), 60000, 1, H100()).status()));
}

TEST(PlanTest, AnUnknownDeviceIsAnErrorThatNamesTheOthers) {
  EXPECT_THAT(std::string(FindDevice("h99").status().message()), HasSubstr("h100"));
}

// What would have no place in the file at the end is refused before the first step.
TEST(PlanTest, AGgufIsPromisedOnlyWhereItsCodesHaveAnImage) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / fmt::format("ridgeline_plan_{}", ::getpid());
  fs::create_directories(folder);
  const std::string gguf = WriteSmallGemma(SmallGemma(), folder / "small.gguf");
  const auto planned = [&](const std::string& path, std::vector<RecipeOverride> set) {
    set.emplace_back("export.weights", "gguf");
    set.emplace_back("quant.hadamard", "false");
    RecipeReadResult read = ReadRecipe("dataset: {path: nowhere}\nmodel: {path: " + path + "}\n", "recipe", set);
    EXPECT_TRUE(read.problems.empty()) << read.problems.front().ToString();
    ApplyRecipeDefaults(&read.recipe);
    read.recipe.mutable_training()->set_seq_len(32);
    return PlanJob(read.recipe, 0, 1, H100()).status();
  };
  using Set = std::vector<RecipeOverride>;
  const Set int4 = {{"quant.estimator", "ste"}, {"quant.weight.format", "int4"}, {"quant.weight.scheme", "affine"}};
  Set fits = int4, cut = int4;
  fits.emplace_back("quant.weight.block", "32");
  cut.emplace_back("quant.weight.block", "16");
  EXPECT_EQ(planned(gguf, fits), absl::OkStatus());
  EXPECT_THAT(
      std::string(planned(gguf, cut).message()),
      testing::AllOf(HasSubstr("quant.weight: export.weights gguf: model.layers.0."), HasSubstr("take a block of 32")));
  const std::string safetensors = RIDGELINE_MODEL_TESTDATA "/gemma3-270m-like";
  EXPECT_THAT(std::string(planned(safetensors, fits).message()), HasSubstr("--metadata-from"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace ridgeline
