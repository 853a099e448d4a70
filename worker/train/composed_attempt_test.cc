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

// Of losses after some steps. With a small optimizer.eps AdamW would make whole steps of the last bits of gradients
// that are next to nothing.
constexpr double kComposedTolerance = 1e-5;
// Each operation is the same to 1e-6; but codes at a threshold fall to the other side, one in a million, and go their
// own way from there.
constexpr double kComposedCodesTolerance = 1e-2;  // 5.7e-3 was seen of gaussws, on a CPU with AVX-512.
constexpr double kComposedBfloat16Tolerance = 1e-2;

class ComposedAttemptTest : public AttemptTest {
 protected:
  std::vector<double> Losses(const Changes& changes, const char* kernels) const {
    Recorder recorder;
    const absl::StatusOr<RunResult> result = Run(Assignment(With(changes, {{"checkpoint.interval", "0"},
                                                                           {"validation.interval", "0"},
                                                                           {"validation.sequences", "6"},
                                                                           {"training.steps", "6"},
                                                                           {"optimizer.eps", "1e-3"},
                                                                           {"training.kernels", kernels}})),
                                                 1, recorder);
    EXPECT_TRUE(result.ok()) << result.status();
    std::vector<double> losses = recorder.TrainLosses();
    if (result.ok() && result->point) losses.push_back(result->point->loss());
    return losses;
  }

  void ExpectSame(const Changes& changes, double tolerance = kComposedCodesTolerance) const {
    const std::vector<double> fused = Losses(changes, "auto"), composed = Losses(changes, "composed");
    ASSERT_EQ(fused.size(), 7u);
    ASSERT_EQ(composed.size(), 7u);
    for (size_t i = 0; i < fused.size(); ++i)
      EXPECT_NEAR(composed[i], fused[i], tolerance * fused[i]) << "after " << i << " steps";
  }
};

TEST_F(ComposedAttemptTest, TrainsTheSameWithEachEstimator) {
  for (const EstimatorTraits& traits : EveryEstimator()) {
    SCOPED_TRACE(traits.name);
    ExpectSame(EstimatorAlone(traits));
  }
}

TEST_F(ComposedAttemptTest, TrainsTheSameWithEverythingElseThatAStepDoes) {
  const std::vector<std::pair<const char*, Changes>> features = {
      {"block Hadamard",
       {{"quant.estimator", "ridge_trust"},
        {"quant.hadamard", "true"},
        {"quant.weight.block", "32"},
        {"quant.activation.block", "32"}}},
      {"accumulation", {{"training.local_batch_size", "2"}}},
      {"activations are computed twice", {{"activation_checkpoint.mode", "full"}}},
      {"sparsity", {{"quant.weight.scheme", "linear"}, {"sparsity.pattern", "2:4"}}},
      {"mask decay",
       {{"quant.weight.scheme", "linear"}, {"sparsity.pattern", "2:4"}, {"sparsity.mask_decay", "0.001"}}},
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

TEST_F(ComposedAttemptTest, TrainsTheSameToFiveDigitsWhereNoCodeDecides) {
  const Changes plain = {{"quant.estimator", "none"}};
  ExpectSame(plain, kComposedTolerance);
  ExpectSame(With(plain, {{"training.local_batch_size", "2"}}), kComposedTolerance);
  ExpectSame(With(plain, {{"activation_checkpoint.mode", "full"}}), kComposedTolerance);
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
