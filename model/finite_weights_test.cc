// SPDX-License-Identifier: Apache-2.0
#include "model/finite_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fmt/format.h"
#include "model/load_model.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

TEST(FiniteWeightsTest, OneNumberThatIsNoneIsFoundInAnyTensor) {
  const auto model = LoadModel(fmt::format("{}/gpt2-like", RIDGELINE_TESTDATA), {}).value();
  ASSERT_TRUE(CheckFiniteWeights(*model, "here").ok());
  ASSERT_GT(model->parameters().size(), 10u);
  for (Parameter& parameter : model->parameters()) {
    for (float bad : {std::nanf(""), -std::nanf(""), std::numeric_limits<float>::infinity(),
                      -std::numeric_limits<float>::infinity()}) {
      at::Tensor last = parameter.master.flatten()[-1];
      const float kept = last.item<float>();
      last.fill_(bad);
      const absl::Status status = CheckFiniteWeights(*model, "here");
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
      EXPECT_EQ(std::string(status.message()).find("NONFINITE: here: 1 of the "), 0u) << status;
      EXPECT_NE(std::string(status.message()).find(fmt::format("'{}'", parameter.name)), std::string::npos) << status;
      last.fill_(kept);
    }
  }
  EXPECT_TRUE(CheckFiniteWeights(*model, "here").ok());
}

TEST(FiniteWeightsTest, TheLargestNumbersAreFinite) {
  const auto model = LoadModel(fmt::format("{}/gpt2-like", RIDGELINE_TESTDATA), {}).value();
  model->parameters().front().master.fill_(std::numeric_limits<float>::max());
  model->parameters().back().master.fill_(std::numeric_limits<float>::denorm_min());
  EXPECT_TRUE(CheckFiniteWeights(*model, "here").ok());
}

}  // namespace
}  // namespace ridgeline
