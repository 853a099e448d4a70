// SPDX-License-Identifier: Apache-2.0
// What holds between granularities, and what docs/methods.md#formats says of NVINT4 and NVFP4.
#include <gtest/gtest.h>

#include "method/format.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/torch_pch.h"
#include "quant/testing/tensors_close.h"

namespace ridgeline {
namespace {

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
  QuantizerSpec spec{.estimator = "ste", .format = format, .scheme = Scheme::kLinear, .block = OwnBlock(format)};
  spec.hadamard = hadamard;
  return -10 * std::log10(QuantErrorRatio(x, spec));
}

// docs/methods.md#formats: numbers with outliers prefer FP4; rotated by Hadamard-16 they prefer INT4, and FP4 gets
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
