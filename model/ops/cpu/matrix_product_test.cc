// SPDX-License-Identifier: Apache-2.0
#include "model/ops/cpu/matrix_product.h"

#include <gtest/gtest.h>

#include "quant/autograd/torch_pch.h"
#include "quant/testing/tensors_close.h"

namespace ridgeline {
namespace {

// Half a unit in the last place of bfloat16, of the largest number.
constexpr double kBfloat16Rounding = 1.0 / 256;
constexpr double kSumsInFloat = 1e-5;  // Of up to 70,000 products, of the largest number.

at::Tensor Random(int64_t rows, int64_t columns) { return at::randn({rows, columns}).to(at::kBFloat16); }

struct Shape {
  int64_t n, k, m;
};

class MatrixProductTest : public ::testing::TestWithParam<Shape> {
 protected:
  void SetUp() override {
    at::manual_seed(1);
    const Shape shape = GetParam();
    a_ = Random(shape.n, shape.k);
    b_ = Random(shape.m, shape.k).t();  // As a weight is read.
    exact_ = at::mm(a_.to(at::kDouble), b_.to(at::kDouble));
  }
  at::Tensor a_, b_, exact_;
};

TEST_P(MatrixProductTest, PanelsOfBfloat16AreRoundedOnce) {
  at::Tensor out = at::empty({a_.size(0), b_.size(1)}, at::kBFloat16);
  PanelProduct(a_, b_, false, out);
  EXPECT_TRUE(AllClose(out, exact_, kBfloat16Rounding));
}

TEST_P(MatrixProductTest, PanelsAddToWhatIsThere) {
  at::Tensor out = at::ones({a_.size(0), b_.size(1)}, at::kFloat);
  PanelProduct(a_, b_, true, out);
  EXPECT_TRUE(AllClose(out, exact_ + 1, kSumsInFloat));
}

TEST_P(MatrixProductTest, DotsAreRoundedOnceAndAddToWhatIsThere) {
  ASSERT_TRUE(IsReadByRows(b_));
  at::Tensor rounded = at::empty({a_.size(0), b_.size(1)}, at::kBFloat16), sum = at::ones(rounded.sizes(), at::kFloat);
  DotProduct(a_, b_, false, rounded);
  DotProduct(a_, b_, true, sum);
  EXPECT_TRUE(AllClose(rounded, exact_, kBfloat16Rounding));
  EXPECT_TRUE(AllClose(sum, exact_ + 1, kSumsInFloat));
}

TEST_P(MatrixProductTest, DotsOfFloat32AreTheProduct) {
  const at::Tensor a = a_.to(at::kFloat), b = b_.t().to(at::kFloat).t();
  at::Tensor out = at::empty({a.size(0), b.size(1)}, at::kFloat);
  DotProduct(a, b, false, out);
  EXPECT_TRUE(AllClose(out, exact_, kSumsInFloat));
  EXPECT_TRUE(AllClose(MatrixProduct(a, b), exact_, kSumsInFloat));
}

TEST_P(MatrixProductTest, ThisCpusWayIsTheSameProduct) {
  at::Tensor out = at::zeros({a_.size(0), b_.size(1)}, at::kBFloat16);
  AddMatrixProduct(a_, b_, out);
  EXPECT_TRUE(AllClose(out, exact_, kBfloat16Rounding));
  EXPECT_TRUE(AllClose(MatrixProduct(a_, b_), exact_, kBfloat16Rounding));
}

// The third is short in no dimension. The last three are longer than a panel in each of the dimensions that can be cut.
INSTANTIATE_TEST_SUITE_P(Shapes, MatrixProductTest,
                         ::testing::Values(Shape{1, 1, 1}, Shape{7, 33, 5}, Shape{64, 96, 128}, Shape{70000, 300, 3},
                                           Shape{3, 300, 70000}, Shape{3, 70000, 300}));

TEST(IsReadByRowsTest, OnlyATransposeOfContiguousRowsIsReadByRows) {
  const at::Tensor weight = Random(6, 8);
  EXPECT_TRUE(IsReadByRows(weight.t()));
  EXPECT_TRUE(IsReadByRows(weight.narrow(0, 2, 3).t()));
  EXPECT_FALSE(IsReadByRows(weight));
  EXPECT_FALSE(IsReadByRows(weight.narrow(1, 0, 4).t()));
}

}  // namespace
}  // namespace ridgeline
