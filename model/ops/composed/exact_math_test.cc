// SPDX-License-Identifier: Apache-2.0
#include "model/ops/composed/exact_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "method/hadamard_sign.h"
#include "model/ops/ops.h"
#include "quant/autograd/torch_pch.h"
#include "quant/codes/statistics_bytes.h"
#include "quant/kernels/hadamard.h"

namespace ridgeline {
namespace {

// Of every exponent.
at::Tensor AnyFloats(int64_t count, uint64_t seed) {
  return at::randint(std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max(), {count},
                     at::detail::createCPUGenerator(seed), at::TensorOptions(at::kLong))
      .to(at::kInt)
      .view(at::kFloat);
}

void ExpectFused(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
  const at::Tensor fused = FusedMultiplyAdd(a, b, c);
  for (int64_t i = 0; i < fused.numel(); ++i) {
    const float x = a[i].item<float>(), y = b[i].item<float>(), z = c[i].item<float>();
    const float expected = std::fma(x, y, z), computed = fused[i].item<float>();
    ASSERT_TRUE(computed == expected || (std::isnan(computed) && std::isnan(expected)))
        << x << " * " << y << " + " << z << " is " << expected << ", not " << computed;
  }
}

TEST(ExactMathTest, FusedMultiplyAddIsRoundedOnce) {
  constexpr int64_t kCount = 20'000;
  const at::Tensor a = at::randn({kCount}), b = at::randn({kCount});
  ExpectFused(a, b, at::randn({kCount}));
  ExpectFused(a, b, -(a * b));  // What one rounding leaves.
  ExpectFused(AnyFloats(kCount, 1), AnyFloats(kCount, 2), AnyFloats(kCount, 3));
  // Ties of float32 that what float64 loses decides: 1 + 2^-24 +- 2^-80, and exact ones.
  const at::Tensor tie = at::tensor(std::vector<float>{0x1p-24f, 0x1p-24f, 0x1p-24f});
  const at::Tensor one = at::tensor(std::vector<float>{1, -1, 1}), by = at::ones({3});
  ExpectFused(tie, by, one);
  ExpectFused(at::tensor(std::vector<float>{0x1p-40f}), at::tensor(std::vector<float>{0x1p-40f}),
              at::tensor(std::vector<float>{0x1.000002p0f}));
  ExpectFused(at::tensor(std::vector<float>{0x1.000002p0f}), at::tensor(std::vector<float>{0x1.000002p-24f}),
              at::tensor(std::vector<float>{1}));
}

TEST(ExactMathTest, Float16RoundsAsFilesDo) {
  const at::Tensor x = at::cat({AnyFloats(20'000, 4), at::randn({20'000}), at::randn({20'000}) * 1e-6});
  const at::Tensor rounded = RoundedToFloat16(x);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const float number = x[i].item<float>();
    ASSERT_TRUE(std::isnan(number) || rounded[i].item<float>() == StoredFloat16(number)) << number;
  }
}

TEST(ExactMathTest, QuotientsOfNumbersWithoutSignAreExact) {
  const at::Tensor x = at::randint(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(), {5'000},
                                   at::TensorOptions(at::kLong));
  for (const int64_t by : {int64_t{2}, int64_t{3}, int64_t{24}, int64_t{3'000'000'019}, (int64_t{1} << 61) + 1}) {
    const at::Tensor quotients = DividedUnsigned(x, by);
    for (int64_t i = 0; i < x.numel(); ++i)
      ASSERT_EQ(static_cast<uint64_t>(quotients[i].item<int64_t>()),
                static_cast<uint64_t>(x[i].item<int64_t>()) / static_cast<uint64_t>(by));
  }
}

TEST(ExactMathTest, RotationAndItsSignsAreThoseOfTheKernels) {
  const at::Tensor signs = HadamardSigns(1'000, at::kCPU);
  for (int64_t i = 0; i < 1'000; ++i) ASSERT_EQ(signs[i].item<int>(), HadamardSign(i));
  for (const int64_t n : {2, 4, 8, 16, 32, 128, 1024}) {
    const at::Tensor x = at::randn({3, n}), rotated = HadamardOfRows(x);
    at::Tensor expected = at::empty_like(x);
    for (int64_t row = 0; row < 3; ++row)
      Hadamard(x.const_data_ptr<float>() + row * n, n, expected.mutable_data_ptr<float>() + row * n);
    EXPECT_TRUE(at::equal(rotated, expected)) << n;
  }
}

}  // namespace
}  // namespace ridgeline
