// SPDX-License-Identifier: Apache-2.0
// Gemma 3 270M itself: runs where RIDGELINE_GEMMA3_270M names its GGUF (docs/cli.md, `ridgeline model import`).
#include <gtest/gtest.h>

#include <cstdlib>

#include "model/load_model.h"
#include "model/training_pass.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// "<bos>In the beginning God created the heaven and the earth. And the earth was without form, and void;"
const std::vector<int64_t> kGenesis = {2,      902,  506, 6534, 3803, 4464, 506,  20808,  532, 506,  7764,
                                       236761, 1452, 506, 7764, 691,  2180, 1183, 236764, 532, 2325, 236793};
// What transformers 5.24 gives in float32 on the dequantized weights.
constexpr double kGenesisLoss = 1.3803499;

at::Tensor Ids(const std::vector<int64_t>& ids) { return at::tensor(at::ArrayRef<int64_t>(ids)).unsqueeze(0); }

class RealWeightsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("RIDGELINE_GEMMA3_270M");
    if (path == nullptr) GTEST_SKIP() << "RIDGELINE_GEMMA3_270M does not name the GGUF of Gemma 3 270M";
    model_ = LoadModel(path, options_).value();
  }
  double GenesisLoss() {
    const at::Tensor ids = Ids(kGenesis);
    const int64_t count = ids.size(1) - 1;
    return Score(model_.get(), ids.narrow(1, 0, count), ids.narrow(1, 1, count)).loss() / static_cast<double>(count);
  }

  ModelOptions options_;
  std::unique_ptr<LanguageModel> model_;
};

TEST_F(RealWeightsTest, LossOnGenesisIsThatOfTransformers) { EXPECT_NEAR(GenesisLoss(), kGenesisLoss, 5e-6); }

TEST_F(RealWeightsTest, HasTheParametersOfTheShape) {
  int64_t elements = 0;
  for (const Parameter& parameter : model_->parameters()) elements += parameter.master.numel();
  EXPECT_EQ(elements, 268098176);
}

class RealWeightsInBfloat16Test : public RealWeightsTest {
 protected:
  RealWeightsInBfloat16Test() { options_.compute_dtype = at::kBFloat16; }
};

TEST_F(RealWeightsInBfloat16Test, LossOnGenesisIsNearThatOfFloat32) { EXPECT_NEAR(GenesisLoss(), kGenesisLoss, 3e-2); }

}  // namespace
}  // namespace ridgeline
