// SPDX-License-Identifier: Apache-2.0
// Named shapes, given weights, and what a recipe may ask of either.
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "recipes/explain.h"
#include "recipes/model_shapes.h"
#include "recipes/testing.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

// `lines` after a dataset, which every recipe needs; they start on line 2.
std::vector<std::string> Problems(const std::string& lines) { return ProblemsOf("dataset: {path: x}\n" + lines); }

TEST(ModelShapesTest, TheSchemaHasTheNamesOfAllNetworks) {
  std::vector<std::string> names(ModelNames().begin(), ModelNames().end());
  names.push_back("gpt");  // Whose sizes the recipe says.
  EXPECT_THAT(names, UnorderedElementsAreArray(ExplainField("model.name")->one_of));
}

TEST(ModelShapesTest, RowsAreThoseOfEveryQuantizedLayer) {
  v1::Model model;
  model.set_name("gemma3-4b");
  EXPECT_THAT(RowLengths(model), ElementsAre(2560, 2048, 10240));
  model.set_name("gpt2");
  EXPECT_THAT(RowLengths(model), ElementsAre(768, 3072));
  model.set_dim(96);
  EXPECT_THAT(RowLengths(model), ElementsAre(96, 384));
  model.set_name("gpt");
  EXPECT_THAT(RowLengths(model), ElementsAre(96, 384)) << "however many layers";
  model.clear_dim();
  EXPECT_THAT(RowLengths(model), IsEmpty()) << "the recipe does not say";
  model.set_name("gpt-5");
  EXPECT_THAT(RowLengths(model), IsEmpty());
  model.set_name("gpt2");
  model.set_path("weights");
  EXPECT_THAT(RowLengths(model), IsEmpty()) << "only the weights know";
}

TEST(ModelRulesTest, GivenWeightsTakeNoShapeBesideThem) {
  EXPECT_THAT(Problems("model: {path: p}\n"), IsEmpty());
  EXPECT_THAT(
      Problems("model: {path: p, name: gpt2}\n"),
      ElementsAre("r:2:24: model.name: cannot be set beside model.path, whose weights have a shape of their own "
                  "(remove model.name or model.path)"));
  EXPECT_THAT(Problems("model: {path: p, n_heads: 2}\n"),
              ElementsAre("r:2:27: model.n_heads: cannot be set beside model.path, whose weights have a shape of their "
                          "own (remove model.n_heads or model.path)"));
  EXPECT_THAT(Problems("model: {n_layers: 2, dim: 8, path: p}\n").size(), 2u);
}

TEST(ModelRulesTest, AChildThatNamesAShapeBesideTheBasesWeightsIsToBlame) {
  EXPECT_THAT(
      Problems("model: {path: p}\nsweep: {method: cases, cases: [{name: a}, {name: b, set: {model.name: gpt2}}]}\n"),
      ElementsAre("r:3:71: sweep.cases[1].set.model.name: in child 'b': model.name: cannot be set beside "
                  "model.path, whose weights have a shape of their own (remove model.name or model.path)"));
}

TEST(ModelRulesTest, AFixedShapeTakesNoSizes) {
  for (const char* key : {"n_layers", "dim", "n_heads"}) {
    EXPECT_THAT(
        Problems(fmt::format("model: {{name: gemma3-270m, {}: 8}}\n", key)),
        ElementsAre(fmt::format("r:2:{}: model.{}: cannot be set: the shape of gemma3-270m is fixed (remove the "
                                "key, or set model.name to a GPT's)",
                                30 + std::string(key).size(), key)));
  }
  EXPECT_THAT(Problems("model: {name: gpt2, n_layers: 2, dim: 96, n_heads: 3}\n"), IsEmpty());
}

TEST(ModelRulesTest, NoSampleIsLongerThanTheModelsPositions) {
  const struct {
    const char* name;
    int longest;
  } kLimits[] = {
      {"gpt2", 1024}, {"gemma3-270m", 32768}, {"gemma3-1b", 32768}, {"gemma3-4b", 131072}, {"gpt-nano", 131072}};
  for (const auto& [name, longest] : kLimits) {
    const std::string recipe = fmt::format("model: {{name: {}}}\ntraining: {{seq_len: ", name);
    EXPECT_THAT(Problems(fmt::format("{}{}}}\n", recipe, longest)), IsEmpty()) << name;
    EXPECT_THAT(Problems(fmt::format("{}{}}}\n", recipe, longest + 1)).size(), 1u) << name;
  }
  EXPECT_THAT(Problems("model: {name: gpt2}\ntraining: {seq_len: 1025}\n"),
              ElementsAre("r:3:21: training.seq_len: 1025 is over the 1024 positions of gpt2 (at most 1024)"));
}

TEST(ModelRulesTest, HadamardBlocksDivideEveryRowOfANamedShape) {
  const std::string quant = "quant: {estimator: ridge, hadamard: true, weight: {format: int4, block: ";
  const struct {
    const char* name;
    int largest;
  } kLimits[] = {{"gemma3-270m", 128}, {"gemma3-1b", 128}, {"gemma3-4b", 512}, {"gpt2", 256}, {"gpt-11m", 128}};
  for (const auto& [name, largest] : kLimits) {
    const std::string model = fmt::format("model: {{name: {}}}\n", name);
    EXPECT_THAT(Problems(fmt::format("{}{}{}}}}}\n", model, quant, largest)), IsEmpty()) << name;
    EXPECT_THAT(Problems(fmt::format("{}{}{}}}}}\n", model, quant, 2 * largest)).size(), 1u) << name;
  }
  EXPECT_THAT(Problems("model: {name: gemma3-1b}\n" + quant + "256}}\n"),
              ElementsAre("r:3:73: quant.weight.block: 256 does not divide rows of 1152 features, and Hadamard blocks "
                          "have no tail (set it to a power of two up to 128, or quant.hadamard to false)"));
  EXPECT_THAT(
      Problems("model: {name: gpt, n_layers: 1, dim: 9, n_heads: 3}\n" + quant + "2}}\n"),
      ElementsAre("r:3:73: quant.weight.block: 2 does not divide rows of 9 features, and Hadamard blocks have no "
                  "tail (set quant.hadamard to false)"));
}

TEST(TrainingRulesTest, APassHoldsNoMoreThanTheBatch) {
  EXPECT_THAT(Problems("training: {global_batch_size: 4, local_batch_size: 4}\n"), IsEmpty());
  EXPECT_THAT(
      Problems("training: {global_batch_size: 4, local_batch_size: 5}\n"),
      ElementsAre("r:2:52: training.local_batch_size: 5 is over training.global_batch_size, which is 4 (at most 4)"));
}

TEST(ExportRulesTest, AGgufNeedsTheGgufThatItComesFromAndWeightsThatAreNotRotated) {
  const std::string quant = "quant: {estimator: ridge, hadamard: true, weight: {format: int4}}\n";
  EXPECT_THAT(
      Problems("export: {weights: gguf}\n"),
      ElementsAre("r:2:19: export.weights: gguf takes metadata and tokenizer from the GGUF at model.path, which "
                  "is not set (set model.path to a Gemma 3 in GGUF, or this to packed or safetensors)"));
  EXPECT_THAT(
      Problems("export: {weights: gguf}\nmodel: {path: p}\n" + quant),
      ElementsAre("r:4:37: quant.hadamard: rotates weights, and llama.cpp does not rotate inputs: export.weights "
                  "gguf cannot hold them (set it to false, or export.weights to packed)"));
  EXPECT_THAT(Problems("export: {weights: packed}\nmodel: {path: p}\n" + quant), IsEmpty());
}

TEST(TrainingRulesTest, ATeacherNeedsWeights) {
  EXPECT_THAT(Problems("model: {path: p}\ntraining: {distill: {weight: 0.5}}\n"), IsEmpty());
  EXPECT_THAT(Problems("training: {distill: {weight: 0, temperature: 2}}\n"), IsEmpty());
  EXPECT_THAT(Problems("training: {distill: {weight: 0.5}}\n"),
              ElementsAre("r:2:30: training.distill.weight: 0.5 needs a teacher, and model.path is not set (set "
                          "model.path to the teacher's weights, or the weight to 0)"));
}

}  // namespace
}  // namespace ridgeline
