// SPDX-License-Identifier: Apache-2.0
// Networks against transformers' on the same weights; testdata/make_golden.py makes what they are held to.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/file.h"
#include "model/layers.h"
#include "model/load_model.h"
#include "model/safetensors.h"
#include "model/training_pass.h"
#include "nlohmann/json.hpp"
#include "quant/autograd/torch_pch.h"
#include "quant/testing/tensors_close.h"
#include "weights/weight_file.h"

namespace ridgeline {
namespace {

// Of the largest number of a tensor.
constexpr double kFloatTolerance = 1e-4;
// bfloat16 has 8 bits of mantissa, and sums run in another order: some times 2^-8 over the layers of random weights.
constexpr double kBfloat16Tolerance = 6e-2;
// How much farther from float32 we may be than transformers is.
constexpr double kBfloat16Excess = 1.5;

double RelativeError(const at::Tensor& ours, const at::Tensor& theirs) {
  return (ours.to(at::kDouble) - theirs.to(at::kDouble)).abs().max().item<double>() /
         theirs.to(at::kDouble).abs().max().item<double>();
}

struct GoldenCase {
  const char* name;
  const char* prefix;  // Of all names in the file.
};

void PrintTo(const GoldenCase& c, std::ostream* out) { *out << c.name; }

class ParityTest : public ::testing::TestWithParam<GoldenCase> {
 protected:
  void SetUp() override {
    golden_ = ReadSafetensors(Folder() + "/golden.safetensors").value();
    inputs_ = Golden("tokens").narrow(1, 0, Golden("tokens").size(1) - 1);
    targets_ = Golden("tokens").narrow(1, 1, Golden("tokens").size(1) - 1);
  }
  std::string Folder() const { return std::string(RIDGELINE_TESTDATA "/") + GetParam().name; }
  const at::Tensor& Golden(const std::string& name) const { return golden_.tensors.at(name); }
  std::unique_ptr<LanguageModel> Load(const ModelOptions& options = {}) const {
    return LoadModel(Folder(), options).value();
  }

  void ExpectGradientsOfTransformers(LanguageModel* model) {
    for (Parameter& parameter : model->parameters()) parameter.gradient.sum = at::full_like(parameter.master, NAN);
    const HeadSums result = AccumulateGradients(model, inputs_, targets_, 1.0 / static_cast<double>(targets_.numel()));
    EXPECT_NEAR(result.loss() / static_cast<double>(targets_.numel()), Golden("loss").item<double>(), 1e-5);
    for (const Parameter& parameter : model->parameters()) {
      const StoredName& stored = parameter.shape->hugging_face;
      const at::Tensor& theirs = Golden("gradient." + std::string(GetParam().prefix) + stored.name);
      EXPECT_TRUE(AllClose(parameter.gradient.sum, stored.is_transposed ? theirs.t() : theirs, kFloatTolerance))
          << parameter.name;
    }
  }

  SafetensorsFile golden_;
  at::Tensor inputs_, targets_;  // (B, T)
};

TEST_P(ParityTest, LogitsAreThoseOfTransformers) {
  EXPECT_TRUE(AllClose(Load()->Logits(inputs_), Golden("logits"), kFloatTolerance));
}

TEST_P(ParityTest, Bfloat16LogitsAreThoseOfTransformers) {
  const at::Tensor logits = Load({.compute_dtype = at::kBFloat16})->Logits(inputs_);
  EXPECT_TRUE(AllClose(logits, Golden("logits_bfloat16"), kBfloat16Tolerance));
  EXPECT_LT(RelativeError(logits, Golden("logits")),
            kBfloat16Excess * RelativeError(Golden("logits_bfloat16"), Golden("logits")));
}

TEST_P(ParityTest, GradientsAreThoseOfTransformers) { ExpectGradientsOfTransformers(Load().get()); }

TEST_P(ParityTest, RecomputedActivationsGiveTheSameGradients) {
  ExpectGradientsOfTransformers(Load({.recompute_activations = true}).get());
}

TEST_P(ParityTest, TokenByTokenWithACacheGivesTheLogitsOfTheWhole) {
  std::unique_ptr<LanguageModel> model = Load();
  KvCache cache;
  std::vector<at::Tensor> parts = {model->Logits(inputs_.narrow(1, 0, 3), &cache)};  // A prompt, then single tokens.
  for (int64_t i = 3; i < inputs_.size(1); ++i) parts.push_back(model->Logits(inputs_.narrow(1, i, 1), &cache));
  EXPECT_EQ(cache.length, inputs_.size(1));
  EXPECT_TRUE(AllClose(at::cat(parts, 1), Golden("logits"), kFloatTolerance));
}

TEST_P(ParityTest, MicroBatchesAddUpToTheGradientOfTheBatch) {
  std::unique_ptr<LanguageModel> model = Load();
  for (Parameter& parameter : model->parameters()) parameter.gradient.sum = at::empty_like(parameter.master);
  const double scale = 1.0 / static_cast<double>(targets_.numel());
  for (int64_t i = 0; i < inputs_.size(0); ++i)
    AccumulateGradients(model.get(), inputs_.narrow(0, i, 1), targets_.narrow(0, i, 1), scale);
  for (const Parameter& parameter : model->parameters()) {
    if (parameter.step.decays) continue;  // Norms and biases: the same names in both.
    const std::string name = GetParam().prefix + parameter.shape->hugging_face.name;
    EXPECT_TRUE(AllClose(parameter.gradient.sum, Golden("gradient." + name), kFloatTolerance)) << parameter.name;
  }
}

// The golden 4B-like model scales its global layers' positions by 8. Files say so in several ways; without it the
// numbers are others.
TEST(LinearScalingTest, EverySpellingGivesTheLogitsOfTransformers) {
  namespace fs = std::filesystem;
  const std::string golden_folder = RIDGELINE_TESTDATA "/gemma3-4b-like";
  const SafetensorsFile golden = ReadSafetensors(golden_folder + "/golden.safetensors").value();
  const at::Tensor inputs = golden.tensors.at("tokens").narrow(1, 0, golden.tensors.at("tokens").size(1) - 1);
  const fs::path folder = fs::temp_directory_path() / ("ridgeline_scaling_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  fs::copy_file(golden_folder + "/model.safetensors", folder / "model.safetensors");
  nlohmann::json config = nlohmann::json::parse(ReadFile(golden_folder + "/config.json").value());
  config.erase("rope_parameters");
  config["rope_theta"] = 1e5;
  config["rope_local_base_freq"] = 5e3;
  auto error_with = [&](const nlohmann::json& scaling) {
    config["rope_scaling"] = scaling;
    EXPECT_TRUE(WriteFileAtomically((folder / "config.json").string(), config.dump()).ok());
    return RelativeError(LoadModel(folder.string(), {}).value()->Logits(inputs), golden.tensors.at("logits"));
  };
  EXPECT_LT(error_with({{"type", "linear"}, {"factor", 8.0}}), kFloatTolerance);
  EXPECT_LT(error_with({{"rope_type", "linear"}, {"factor", 8}}), kFloatTolerance);
  EXPECT_GT(error_with(nullptr), 100 * kFloatTolerance);
  fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Golden, ParityTest,
                         ::testing::Values(GoldenCase{"gemma3-270m-like", ""}, GoldenCase{"gemma3-4b-like", ""},
                                           GoldenCase{"gpt2-like", "transformer."}),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace ridgeline
