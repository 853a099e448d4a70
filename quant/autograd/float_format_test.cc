// SPDX-License-Identifier: Apache-2.0
// Formats with elements of their own, and granularities, against the autograd twin; and what METHODS section 6 says of
// NVINT4 and NVFP4.
#include <gtest/gtest.h>

#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/torch_pch.h"
#include "quant/spec/float_element.h"
#include "quant/testing/tensors_close.h"

namespace ridgeline {
namespace {

constexpr double kAgreesWithAutograd = 1e-10;  // In double.

constexpr Format kOwnElements[] = {Format::kFp4,       Format::kFp6E2M3,   Format::kFp6E3M2,   Format::kFp8E4M3,
                                   Format::kFp8E5M2,   Format::kBitModFp3, Format::kBitModFp4, Format::kMxFp4,
                                   Format::kMxFp6E2M3, Format::kMxFp6E3M2, Format::kMxFp8E4M3, Format::kMxFp8E5M2,
                                   Format::kMxInt8,    Format::kNvFp4,     Format::kNvInt4};

int64_t BlockOf(Format format) { return OwnBlock(format) > 0 ? OwnBlock(format) : 64; }

std::vector<QuantizerSpec> EverySpec() {
  std::vector<QuantizerSpec> specs;
  for (Format format : kOwnElements)
    for (std::string estimator : {"ste", "ridge", "quest", "ridge_trust"})
      for (GridGradient gradient : {GridGradient::kDetached, GridGradient::kGraph})
        for (GridStatistics grid : {GridStatistics::kMinMax, GridStatistics::kGaussian})
          for (bool hadamard : {false, true}) {
            QuantizerSpec spec{.estimator = estimator,
                               .format = format,
                               .scheme = Scheme::kLinear,
                               .block = BlockOf(format),
                               .grid_gradient = gradient,
                               .grid = grid,
                               .hadamard = hadamard};
            if (ValidateQuantizerSpec(spec).ok()) specs.push_back(spec);
          }
  return specs;
}

std::string Name(const QuantizerSpec& spec) {
  std::string name = spec.estimator + " " + std::string(FormatName(spec.format)) + " ";
  name += std::string(GridStatisticsName(spec.grid)) + " " + std::string(GranularityName(spec.granularity));
  return name + (spec.hadamard ? " hadamard" : "") + (spec.grid_gradient == GridGradient::kGraph ? " graph" : "");
}

template <typename Function>
at::Tensor GradientOf(const Function& function, const at::Tensor& x, const at::Tensor& v, const QuantizerSpec& spec) {
  at::Tensor leaf = x.detach().clone().requires_grad_(true);
  return torch::autograd::grad({function(leaf, spec)}, {leaf}, {v})[0];
}

void ExpectTwinsAgree(const QuantizerSpec& spec, int64_t features) {
  SCOPED_TRACE(Name(spec));
  at::Tensor x = at::randn({1, 3, features}, at::kDouble), v = at::randn({1, 3, features}, at::kDouble);
  EXPECT_TRUE(AllNear(FakeQuantize(x, spec), FakeQuantize_ref(x, spec), kAgreesWithAutograd));
  EXPECT_TRUE(
      AllNear(GradientOf(FakeQuantize, x, v, spec), GradientOf(FakeQuantize_ref, x, v, spec), kAgreesWithAutograd));
}

TEST(FloatFormatTest, ClosedFormAgreesWithTheAutogradTwin) {
  at::manual_seed(1);
  at::set_num_threads(1);  // Tensors this small would only wait for each other's threads.
  for (const QuantizerSpec& spec : EverySpec()) ExpectTwinsAgree(spec, spec.hadamard ? 192 : 150);
}

TEST(GranularityTest, RowsAndTensorsShareOneGrid) {
  at::manual_seed(2);
  for (std::string estimator : {"ste", "ridge"})
    for (Granularity granularity : {Granularity::kRow, Granularity::kTensor})
      for (Format format : {Format::kInt1, Format::kInt5, Format::kFp4}) {
        QuantizerSpec spec{.estimator = estimator, .format = format, .scheme = Scheme::kLinear};
        spec.granularity = granularity;
        ExpectTwinsAgree(spec, 150);
      }
}

TEST(GranularityTest, ARowOfOneBlockIsThatBlockAndATensorOfOneRowIsThatRow) {
  QuantizerSpec block{.estimator = "ridge", .format = Format::kInt4, .block = 100}, row = block, tensor = block;
  row.granularity = Granularity::kRow;
  tensor.granularity = Granularity::kTensor;
  at::Tensor x = at::randn({1, 100});
  EXPECT_TRUE(at::equal(FakeQuantize(x, block), FakeQuantize(x, row)));
  EXPECT_TRUE(at::equal(FakeQuantize(x, row), FakeQuantize(x, tensor)));
  at::Tensor rows = at::cat({x, 10 * x});
  EXPECT_TRUE(at::equal(FakeQuantize(rows, block), FakeQuantize(rows, row)));
  EXPECT_FALSE(at::equal(FakeQuantize(rows, row), FakeQuantize(rows, tensor)));
}

TEST(FloatFormatTest, NvScalesFollowTheWholeTensor) {
  // A tensor a thousand times larger has its codes, although E4M3 alone could not hold both scales.
  QuantizerSpec spec{.estimator = "ste", .format = Format::kNvFp4, .scheme = Scheme::kLinear, .block = 16};
  at::Tensor x = at::randn({8, 64}, at::kDouble);
  EXPECT_TRUE(AllNear(FakeQuantize(x * 0x1p20, spec) / 0x1p20, FakeQuantize(x, spec), 1e-12));
}

double QsnrDb(Format format, const at::Tensor& x, bool hadamard) {
  QuantizerSpec spec{.estimator = "ste", .format = format, .scheme = Scheme::kLinear, .block = BlockOf(format)};
  spec.hadamard = hadamard;
  return -10 * std::log10(QuantErrorRatio(x, spec));
}

// METHODS section 6 (B2): numbers with outliers prefer FP4; rotated by Hadamard-16 they prefer INT4, and FP4 gets
// worse.
TEST(FloatFormatTest, NvFp4IsBetterRawAndNvInt4IsBetterRotated) {
  at::manual_seed(3);
  at::Tensor chi = at::randn({512, 256, 6}, at::kDouble).square().sum(-1) / 6;
  at::Tensor x = at::randn({512, 256}, at::kDouble) / chi.sqrt();  // Student's t, 6 degrees of freedom.
  EXPECT_GT(QsnrDb(Format::kNvFp4, x, false), QsnrDb(Format::kNvInt4, x, false));
  EXPECT_LT(QsnrDb(Format::kNvFp4, x, true), QsnrDb(Format::kNvInt4, x, true));
  EXPECT_GT(QsnrDb(Format::kMxInt8, x, false), QsnrDb(Format::kMxFp8E4M3, x, false) + 5);
}

}  // namespace
}  // namespace ridgeline
