// SPDX-License-Identifier: Apache-2.0
// What ridgeline plan counts against the networks themselves: every parameter, every byte of state, what the result
// costs. Networks of billions are made with memory that nobody touches.
#include <gtest/gtest.h>

#include "comm/threads/thread_communicator.h"
#include "method/resolved_spec.h"
#include "model/blueprint/cost.h"
#include "model/load_model.h"
#include "model/make_model.h"
#include "plan/memory.h"
#include "quant/autograd/torch_pch.h"
#include "recipes/recipe_reader.h"
#include "worker/parallel/optimizer.h"
#include "worker/parallel/replicated.h"

namespace ridgeline {
namespace {

struct Case {
  const char* model;
  std::vector<RecipeOverride> set;
};

const std::vector<RecipeOverride> kPlain = {};
const std::vector<RecipeOverride> kA4W1Sparse = {{"quant.estimator", "ridge"},      {"quant.weight.format", "int1"},
                                                 {"quant.weight.scheme", "linear"}, {"quant.activation.format", "int4"},
                                                 {"sparsity.pattern", "2:4"},       {"training.dtype", "bfloat16"}};
const std::vector<RecipeOverride> kTrusting = {{"quant.estimator", "ridge_trust"}, {"quant.weight.format", "int4"}};
const std::vector<RecipeOverride> kLsq = {{"quant.estimator", "lsq"},
                                          {"quant.weight.format", "int4"},
                                          {"quant.activation.format", "int4"},
                                          {"training.dtype", "bfloat16"}};
const std::vector<RecipeOverride> kPostAsq = {{"quant.weight.estimator", "post"},
                                              {"quant.activation.estimator", "asq"},
                                              {"quant.weight.format", "int4"},
                                              {"quant.activation.format", "int4"}};
const std::vector<RecipeOverride> kParetoq = {{"quant.weight.estimator", "paretoq"}, {"quant.weight.format", "int2"}};
const std::vector<RecipeOverride> kNvFp4 = {{"quant.estimator", "ste"},
                                            {"quant.weight.format", "nvfp4"},
                                            {"training.local_batch_size", "1"},
                                            {"training.dtype", "bfloat16"}};

v1::Recipe RecipeOf(const Case& c) {
  RecipeReadResult read =
      ReadRecipe("dataset: {path: nowhere}\nmodel: {name: " + std::string(c.model) + "}\n", "recipe", c.set);
  EXPECT_TRUE(read.problems.empty()) << read.problems.front().ToString();
  ApplyRecipeDefaults(&read.recipe);
  read.recipe.mutable_quant()->add_skip("*.mlp.*");
  return read.recipe;
}

void PrintTo(const Case& c, std::ostream* out) { *out << c.model << ", " << c.set.size() << " settings"; }

class CountsTest : public ::testing::TestWithParam<Case> {
 protected:
  CountsTest() : recipe_(RecipeOf(GetParam())) {
    config_ = NamedConfigFromRecipe(recipe_, 70).value();
    quantizers_ = QuantizersFromRecipe(recipe_).value();
    const bool in_bfloat16 = recipe_.training().dtype() == "bfloat16";
    model_ = MakeModel(config_,
                       {.weight = quantizers_.weight,
                        .activation = quantizers_.activation,
                        .skip = quantizers_.skip,
                        .compute_dtype = in_bfloat16 ? at::kBFloat16 : at::kFloat},
                       std::nullopt)
                 .value();
  }

  v1::Recipe recipe_;
  ModelConfig config_;
  Quantizers quantizers_;
  std::unique_ptr<LanguageModel> model_;
};

TEST_P(CountsTest, EveryParameterHasItsNameAndShape) {
  const ParameterList planned = WithLearned(ParametersOf(config_), quantizers_);
  ASSERT_EQ(planned.size(), model_->parameters().size());
  for (size_t i = 0; i < planned.size(); ++i) {
    const Parameter& parameter = model_->parameters()[i];
    EXPECT_EQ(planned[i].name, parameter.name);
    EXPECT_EQ(planned[i].rows(), parameter.master.size(0)) << parameter.name;
    EXPECT_EQ(planned[i].elements(), parameter.master.numel()) << parameter.name;
    EXPECT_EQ(planned[i].is_weight_matrix(), parameter.step.decays) << parameter.name;
    EXPECT_EQ(planned[i].of_quantizer(), parameter.of_quantizer) << parameter.name;
  }
}

// One buffer holds all gradients, which for billions of them is more than some machines promise.
class StateTest : public CountsTest {};

TEST_P(StateTest, HasExactlyThePlannedBytes) {
  const bool in_bfloat16 = recipe_.training().dtype() == "bfloat16" && !SplitBatch(recipe_.training(), 1).accumulates();
  const std::unique_ptr<Communicator> communicator = MakeSingleCommunicator();
  const std::unique_ptr<Strategy> strategy =
      MakeReplicated(model_.get(), recipe_.optimizer(),
                     {.sums = in_bfloat16 ? GradientSums::kBfloat16 : GradientSums::kFloat32}, *communicator);
  const MemoryPlan planned = PlanMemory(recipe_, config_, quantizers_, 1);
  int64_t masters = 0, copies = 0, gradient = 0;
  for (const Parameter& parameter : model_->parameters()) {
    masters += static_cast<int64_t>(parameter.master.nbytes());
    copies += parameter.computes_with_master() ? 0 : static_cast<int64_t>(parameter.compute.nbytes());
    if (parameter.master.dim() == 2)
      copies += parameter.master.size(0) * SavedBytes(parameter.quantizer.spec, parameter.master.size(1));
    gradient += static_cast<int64_t>(parameter.gradient.sum.nbytes());
  }
  EXPECT_EQ(planned.masters_bytes, masters);
  EXPECT_EQ(planned.copies_bytes, copies);
  EXPECT_EQ(planned.gradients_bytes, gradient);
}

TEST_P(CountsTest, TheResultCostsWhatTheModelSays) {
  const ModelCost planned = CostOf(WithLearned(ParametersOf(config_), quantizers_), quantizers_),
                  counted = model_->Cost();
  EXPECT_DOUBLE_EQ(planned.storage_bytes, counted.storage_bytes);
  EXPECT_DOUBLE_EQ(planned.bits_per_element, counted.bits_per_element);
  EXPECT_DOUBLE_EQ(planned.energy_proxy, counted.energy_proxy);
}

INSTANTIATE_TEST_SUITE_P(Shapes, CountsTest,
                         ::testing::Values(Case{"gpt-nano", kPlain}, Case{"gpt-11m", kA4W1Sparse}, Case{"gpt2", kNvFp4},
                                           Case{"gemma3-270m", kNvFp4}, Case{"gemma3-1b", kA4W1Sparse},
                                           Case{"gemma3-4b", kPlain}, Case{"gemma3-4b", kA4W1Sparse},
                                           Case{"gpt2", kLsq}, Case{"gemma3-270m", kPostAsq},
                                           Case{"gpt-nano", kParetoq}));
INSTANTIATE_TEST_SUITE_P(Shapes, StateTest,
                         ::testing::Values(Case{"gpt-nano", kPlain}, Case{"gpt2", kNvFp4}, Case{"gemma3-270m", kNvFp4},
                                           Case{"gemma3-270m", kTrusting}, Case{"gemma3-1b", kA4W1Sparse},
                                           Case{"gpt2", kLsq}, Case{"gemma3-270m", kPostAsq},
                                           Case{"gpt-nano", kParetoq}));

TEST(ModelPathTest, FilesStateTheShapeOfTheNetworkThatLoads) {
  for (const char* name : {"gemma3-270m-like", "gemma3-4b-like", "gpt2-like"}) {
    SCOPED_TRACE(name);
    v1::Recipe recipe;
    recipe.mutable_model()->set_path(std::string(RIDGELINE_SOURCE_DIR "/model/testdata/") + name);
    const ParameterList planned = ParametersOf(ConfigFromRecipe(recipe, 0).value());
    const std::unique_ptr<LanguageModel> model = LoadModel(recipe.model().path(), {}).value();
    ASSERT_EQ(planned.size(), model->parameters().size());
    for (size_t i = 0; i < planned.size(); ++i)
      EXPECT_EQ(planned[i].elements(), model->parameters()[i].master.numel()) << planned[i].name;
  }
}

// AdamW's moments are zeros that are written, so on a small shape.
TEST(OptimizerBytesTest, MomentsHaveExactlyThePlannedBytes) {
  const v1::Recipe recipe = RecipeOf({"gpt-nano", {}});
  const ModelConfig config = NamedConfigFromRecipe(recipe, 70).value();
  const std::unique_ptr<LanguageModel> model = MakeModel(config, {}, 1).value();
  int64_t bytes = 0;
  for (const auto& [name, tensor] : AdamW(model.get(), recipe.optimizer()).State())
    if (name != "optimizer.steps") bytes += static_cast<int64_t>(tensor.nbytes());
  EXPECT_EQ(PlanMemory(recipe, config, {}, 1).optimizer_bytes, bytes);
}

}  // namespace
}  // namespace ridgeline
