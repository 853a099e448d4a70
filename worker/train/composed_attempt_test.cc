// SPDX-License-Identifier: Apache-2.0
// Whole attempts with the kernels of this CPU, beside the same with composed operations (training.kernels).
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "method/estimator_traits.h"
#include "worker/train/attempt_test.h"

namespace ridgeline {
namespace {

// Of losses after some steps. Each operation is the same to 1e-6; a code at a threshold that falls to the other side
// moves a loss further, and is rare in so few steps.
constexpr double kComposedTolerance = 1e-5;
constexpr double kComposedBfloat16Tolerance = 1e-2;

using Changes = std::vector<RecipeOverride>;

Changes With(Changes changes, const Changes& more) {
  changes.insert(changes.end(), more.begin(), more.end());
  return changes;
}

class ComposedAttemptTest : public AttemptTest {
 protected:
  std::vector<double> Losses(const Changes& changes, const char* kernels) const {
    Recorder recorder;
    const absl::StatusOr<RunResult> result = Run(Assignment(With(changes, {{"checkpoint.interval", "0"},
                                                                           {"validation.interval", "0"},
                                                                           {"validation.sequences", "6"},
                                                                           {"training.steps", "6"},
                                                                           {"training.kernels", kernels}})),
                                                 1, recorder);
    EXPECT_TRUE(result.ok()) << result.status();
    std::vector<double> losses = recorder.TrainLosses();
    if (result.ok() && result->point) losses.push_back(result->point->loss());
    return losses;
  }

  void ExpectSame(const Changes& changes, double tolerance = kComposedTolerance) const {
    const std::vector<double> fused = Losses(changes, "auto"), composed = Losses(changes, "composed");
    ASSERT_EQ(fused.size(), 7u);
    ASSERT_EQ(composed.size(), 7u);
    for (size_t i = 0; i < fused.size(); ++i)
      EXPECT_NEAR(composed[i], fused[i], tolerance * fused[i]) << "after " << i << " steps";
  }
};

std::string FirstFormatOf(const EstimatorTraits& traits) {
  for (const Format format : {Format::kInt2, Format::kInt1, Format::kInt4, Format::kTernary, Format::kInt8})
    if (traits.accepts(format)) return std::string(FormatName(format));
  return "";
}

TEST_F(ComposedAttemptTest, TrainsTheSameWithEachEstimator) {
  for (const EstimatorTraits& traits : AllEstimatorTraits()) {
    SCOPED_TRACE(traits.name);
    const std::string format = FirstFormatOf(traits);
    ExpectSame({{"quant.weight.estimator", std::string(traits.name)},
                {"quant.weight.format", format},
                {"quant.weight.scheme", traits.scheme == Scheme::kLinear ? "linear" : "affine"},
                {"quant.activation.format", "none"}});
  }
}

TEST_F(ComposedAttemptTest, TrainsTheSameWithEverythingElseThatAStepDoes) {
  const std::vector<std::pair<const char*, Changes>> features = {
      {"nothing is quantized", {{"quant.estimator", "none"}}},
      {"block Hadamard", {{"quant.estimator", "ridge_trust"}, {"quant.hadamard", "true"}}},
      {"accumulation", {{"training.local_batch_size", "2"}}},
      {"activations are computed twice", {{"activation_checkpoint.mode", "full"}}},
      {"sparsity", {{"quant.weight.scheme", "linear"}, {"sparsity.pattern", "2:4"}}},
      {"mask decay", {{"quant.weight.scheme", "linear"}, {"sparsity.pattern", "2:4"}, {"sparsity.mask_decay", "0.001"}}},
      {"a quantized embedding", {{"quant.embedding.format", "int4"}, {"quant.embedding.block", "16"}}},
      {"a tensor's scale",
       {{"quant.weight.estimator", "ste_clip"}, {"quant.weight.format", "nvfp4"}, {"quant.weight.scheme", "linear"}}},
      {"a grid for a tensor", {{"quant.weight.granularity", "tensor"}}},
      {"files with 16-bit scales", {{"export.weights", "packed"}}},
  };
  for (const auto& [what, changes] : features) {
    SCOPED_TRACE(what);
    ExpectSame(changes);
  }
}

TEST_F(ComposedAttemptTest, TrainsTheSameInBfloat16UpToItsRounding) {
  ExpectSame({{"training.dtype", "bfloat16"}}, kComposedBfloat16Tolerance);
}

TEST_F(ComposedAttemptTest, SaysWhatMemoryIsForBeforeTheFirstStep) {
  Recorder recorder;
  ASSERT_TRUE(Run(Assignment({{"training.steps", "1"}}), 1, recorder).ok());
  const size_t at = recorder.log.find("memory of a rank: masters ");
  ASSERT_NE(at, std::string::npos) << recorder.log;
  for (const char* kind : {"what layers compute with", "gradients", "optimizer", "planned beside it: activations"})
    EXPECT_NE(recorder.log.find(kind, at), std::string::npos) << kind;
}

}  // namespace
}  // namespace ridgeline
