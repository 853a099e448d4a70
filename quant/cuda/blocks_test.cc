// SPDX-License-Identifier: Apache-2.0
// Holds the block math of the CUDA kernels, run by an emulated warp, against the CPU's kernels, which are held
// against the papers' definitions themselves. No GPU and no nvcc take part.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "method/every_spec.h"
#include "method/problems.h"
#include "method/resolved_spec.h"
#include "quant/cuda/cases.h"
#include "quant/cuda/emulation.h"
#include "quant/cuda/params_of_spec.h"
#include "quant/kernels/estimator.h"
#include "quant/testing/all_close.h"

namespace ridgeline::cuda {
namespace {

// Relative to the largest number of the result: what float leaves of double.
constexpr double kFloatTolerance = 2e-4;
// The share of a spec's numbers that may lie so near to the middle of two levels that float and double part. Above 5
// bits only: a step is then below kOneStep of the largest number.
constexpr double kTiedShare = 0.01;
constexpr double kOneStep = 0.04;
// Float against float in another order.
constexpr double kOrderTolerance = 1e-4;

template <typename T>
std::vector<T> CpuForward(const QuantizerSpec& spec, const std::vector<T>& x, const Case& of) {
  std::vector<T> x_hat(x.size());
  EstimatorFor(spec).value()->Forward(spec, x.data(), of.rows, of.features, x_hat.data());
  return x_hat;
}

template <typename T>
std::vector<T> CpuBackward(const QuantizerSpec& spec, const std::vector<T>& x, const std::vector<T>& v,
                           const Case& of) {
  std::vector<T> x_hat(x.size()), dx(x.size());
  std::vector<uint8_t> saved(static_cast<size_t>(of.rows * SavedBytes(spec, of.features, sizeof(T))));
  const Estimator& estimator = **EstimatorFor(spec);
  estimator.Forward(spec, x.data(), of.rows, of.features, x_hat.data(), saved.data());
  estimator.Backward(spec, x.data(), saved.data(), v.data(), of.rows, of.features, dx.data());
  return dx;
}

template <typename V, typename X>
std::vector<V> EmulatedForward(const Case& of, const std::vector<X>& x) {
  std::vector<V> x_hat(x.size());
  EmulateForward(of.params, x.data(), of.rows, of.features, x_hat.data());
  return x_hat;
}

template <typename X, typename V>
std::vector<X> EmulatedBackward(const Case& of, const std::vector<X>& x, const std::vector<V>& v) {
  std::vector<X> dx(x.size());
  EmulateBackward(of.params, x.data(), v.data(), of.rows, of.features, dx.data());
  return dx;
}

std::vector<double> Widened(const std::vector<float>& x) { return {x.begin(), x.end()}; }

bool Decodes(const QuantizerSpec& spec, Decoding decoding) {
  const EstimatorTraits* traits = FindEstimatorTraits(spec.estimator);
  return traits != nullptr && traits->decoding == decoding;
}

// Few numbers lie on several of BitMoD's grids without loss. Which of them is taken is then a matter of rounding, and
// ridge's penalty tells them apart.
bool IsUndecided(const QuantizerSpec& spec, double numbers) {
  constexpr double kEnough = 16;
  return IsBitMod(spec.format) && Decodes(spec, Decoding::kRidge) && numbers < kEnough;
}

// Without a tail, which would be such a block.
Case ComparableCaseOf(const QuantizerSpec& spec) {
  Case of = CaseOf(spec);
  if (IsBitMod(spec.format)) of.features = 2 * spec.block;
  return of;
}

bool HasSmallSteps(Format format) { return CodeBits(format) > 5; }

class CudaBlocksTest : public ::testing::TestWithParam<std::string> {
 protected:
  // Calls test(spec, its case) for each spec of the estimator, or for one of every `stride`.
  template <typename Test>
  void ForEachSpec(const Test& test, size_t stride = 1) {
    const std::vector<QuantizerSpec> specs = CoveredSpecs(GetParam());
    ASSERT_FALSE(specs.empty());
    for (size_t i = 0; i < specs.size(); i += stride) {
      const QuantizerSpec& spec = specs[i];
      if (IsUndecided(spec, static_cast<double>(spec.block) * spec.sparsity.kept_fraction())) continue;
      const Case of = ComparableCaseOf(spec);
      SCOPED_TRACE(of.name);
      test(spec, of);
      if (HasFatalFailure()) return;
    }
  }
};

TEST_P(CudaBlocksTest, ForwardAgreesWithTheCpu) {
  ForEachSpec([](const QuantizerSpec& spec, const Case& of) {
    const std::vector<float> x = RandomNumbers(of.rows * of.features, 1);
    const std::vector<float> x_hat = EmulatedForward<float>(of, x);
    const std::vector<double> expected = CpuForward(spec, Widened(x), of);
    EXPECT_LE(ShareOff(x_hat, expected, kFloatTolerance), HasSmallSteps(spec.format) ? kTiedShare : 0);
    EXPECT_TRUE(AllClose(x_hat, expected, kOneStep));
  });
}

// The last bit of a float16 may differ where sums do.
TEST_P(CudaBlocksTest, StoredScalesAreThoseOfTheCpu) {
  constexpr double kFewSteps = 0x1p-7, kSameFloat16 = 1e-6, kShareOfOthers = 0.3;
  ForEachSpec(
      [&](QuantizerSpec spec, const Case&) {
        spec.scale_precision = ScalePrecision::kFloat16;
        const Case of = ComparableCaseOf(spec);
        const std::vector<float> x = RandomNumbers(of.rows * of.features, 1), x_hat = EmulatedForward<float>(of, x);
        const std::vector<double> expected = CpuForward(spec, Widened(x), of);
        EXPECT_LE(ShareOff(x_hat, expected, kFewSteps), HasSmallSteps(spec.format) ? kTiedShare : 0);
        if (!spec.quantizes() || spec.hadamard || !HasPlainScale(spec.format)) return;
        EXPECT_LE(ShareOff(x_hat, expected, kSameFloat16), kShareOfOthers);
      },
      /*stride=*/5);
}

TEST_P(CudaBlocksTest, BackwardAgreesWithTheCpu) {
  ForEachSpec([](const QuantizerSpec& spec, const Case& of) {
    const int64_t count = of.rows * of.features;
    const std::vector<float> x = RandomNumbers(count, 2), v = RandomNumbers(count, 3);
    const std::vector<double> expected = CpuBackward(spec, Widened(x), Widened(v), of);
    const std::vector<float> dx = EmulatedBackward(of, x, v);
    EXPECT_LE(ShareOff(dx, expected, kFloatTolerance), HasSmallSteps(spec.format) ? kTiedShare : 0);
    for (float gradient : dx) ASSERT_TRUE(std::isfinite(gradient));
  });
}

// Equal, both NaN, or nearly equal.
bool IsNear(float a, float b, float scale) {
  return a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= kOrderTolerance * scale;
}

float LargestFinite(const std::vector<float>& x) {
  float largest = 0;
  for (float value : x) largest = std::isfinite(value) ? std::max(largest, std::abs(value)) : largest;
  return largest;
}

// A prime, so that every kind of block, format and pattern has its turn.
constexpr size_t kStride = 11;

TEST_P(CudaBlocksTest, BlocksInTroubleAreWhatTheyAreOnTheCpu) {
  ForEachSpec(
      [](const QuantizerSpec& spec, const Case& of) {
        if (IsUndecided(spec, 1)) return;                          // One number, beside which the others are nothing.
        if (IsBitMod(spec.format) && spec.hadamard_signs) return;  // A constant comes to few numbers, likewise.
        for (unsigned trouble = 0; trouble < kTroubles; ++trouble) {
          const std::vector<float> x = TroubledNumbers(of, trouble);
          const std::vector<float> x_hat = EmulatedForward<float>(of, x), expected = CpuForward(spec, x, of);
          const float scale = LargestFinite(expected);
          for (size_t i = 0; i < static_cast<size_t>(of.params.block); ++i)
            ASSERT_TRUE(IsNear(x_hat[i], expected[i], scale))
                << "trouble " << trouble << " at " << i << ": " << x_hat[i] << ", on the CPU " << expected[i];
        }
      },
      kStride);
}

TEST_P(CudaBlocksTest, GradientsAreNanWhereTheyAreOnTheCpu) {
  ForEachSpec(
      [](const QuantizerSpec& spec, const Case& of) {
        const std::vector<float> v = RandomNumbers(of.rows * of.features, 3);
        for (unsigned trouble = 9; trouble < 12; ++trouble) {
          const std::vector<float> x = TroubledNumbers(of, trouble);
          const std::vector<float> dx = EmulatedBackward(of, x, v), expected = CpuBackward(spec, x, v, of);
          for (size_t i = 0; i < dx.size(); ++i)
            ASSERT_EQ(std::isnan(dx[i]), std::isnan(expected[i])) << "trouble " << trouble << " at " << i;
        }
      },
      kStride);
}

// Of numbers about the largest float H x is infinite.
bool IsBeyondRotation(const Case& of, unsigned trouble) { return of.params.hadamard && (trouble == 5 || trouble == 8); }

TEST_P(CudaBlocksTest, WhatIsFiniteStaysFiniteAndWhatIsNotStaysInItsBlock) {
  ForEachSpec(
      [](const QuantizerSpec&, const Case& of) {
        const std::vector<float> v = RandomNumbers(of.rows * of.features, 3);
        for (unsigned trouble = 0; trouble < kTroubles; ++trouble) {
          const bool is_finite = trouble < 9 || trouble == 12;
          const std::vector<float> x = TroubledNumbers(of, trouble);
          const std::vector<float> x_hat = EmulatedForward<float>(of, x), dx = EmulatedBackward(of, x, v);
          const bool skips_first = !is_finite || IsBeyondRotation(of, trouble);
          for (size_t i = skips_first ? static_cast<size_t>(of.params.block) : 0; i < x.size(); ++i)
            ASSERT_TRUE(std::isfinite(x_hat[i]) && std::isfinite(dx[i])) << "trouble " << trouble << " at " << i;
        }
      },
      kStride);
}

// To the nearest, ties to even, by arithmetic instead of bits.
float RoundedToBFloat16(float x) {
  if (x == 0 || !std::isfinite(x)) return x;
  int exponent;
  std::frexp(x, &exponent);
  const int shift = std::max(exponent, -125) - 8;
  return std::ldexp(std::nearbyint(std::ldexp(x, -shift)), shift);
}

std::vector<BFloat16> Narrowed(const std::vector<float>& x) {
  std::vector<BFloat16> narrow;
  for (float value : x) narrow.push_back({static_cast<uint16_t>(BitsOf(RoundedToBFloat16(value)) >> 16)});
  return narrow;
}

std::vector<float> Widened(const std::vector<BFloat16>& x) {
  std::vector<float> wide;
  for (BFloat16 value : x) wide.push_back(FloatOf(static_cast<uint32_t>(value.bits) << 16));
  return wide;
}

TEST_P(CudaBlocksTest, BFloat16IsFloatRoundedOnce) {
  ForEachSpec(
      [](const QuantizerSpec&, const Case& of) {
        const int64_t count = of.rows * of.features;
        const std::vector<BFloat16> x = Narrowed(RandomNumbers(count, 4)), v = Narrowed(RandomNumbers(count, 5));
        const std::vector<float> x_wide = Widened(x), v_wide = Widened(v);
        const std::vector<float> x_hat = EmulatedForward<float>(of, x_wide), dx = EmulatedBackward(of, x_wide, v_wide);
        ASSERT_EQ(Widened(EmulatedForward<BFloat16>(of, x)), Widened(Narrowed(x_hat)));
        ASSERT_EQ(Widened(EmulatedForward<BFloat16>(of, x_wide)), Widened(Narrowed(x_hat)));
        ASSERT_EQ(Widened(EmulatedBackward(of, x, v)), Widened(Narrowed(dx)));
        ASSERT_EQ(EmulatedBackward(of, x_wide, v), dx);
      },
      kStride);
}

// One number further in memory no vector is aligned, and features that are a multiple of four would have vectors.
TEST_P(CudaBlocksTest, AlignmentChangesNothingAndGradientsMayBeWrittenInPlace) {
  ForEachSpec(
      [](const QuantizerSpec& spec, Case of) {
        of.features = spec.sparsity.is_sparse() || spec.hadamard ? of.features : 2 * of.params.block + 4;
        const int64_t count = of.rows * of.features;
        const std::vector<float> x = RandomNumbers(count, 6), v = RandomNumbers(count, 7);
        std::vector<float> shifted = x, x_hat(x.size() + 1), dx = v;
        shifted.insert(shifted.begin(), 0);
        EmulateForward(of.params, shifted.data() + 1, of.rows, of.features, x_hat.data() + 1);
        x_hat.erase(x_hat.begin());
        ASSERT_EQ(x_hat, EmulatedForward<float>(of, x));
        EmulateBackward(of.params, shifted.data() + 1, dx.data(), of.rows, of.features, dx.data());
        ASSERT_EQ(dx, EmulatedBackward(of, x, v));
      },
      kStride);
}

INSTANTIATE_TEST_SUITE_P(Estimators, CudaBlocksTest, ::testing::ValuesIn(CoveredEstimators()),
                         [](const auto& info) { return info.param; });

TEST(CudaMasksTest, MasksAreTheCpusAlsoWhereNumbersAreEqualOrNan) {
  for (const QuantizerSpec& spec : CoveredSpecs("none")) {
    if (spec.hadamard) continue;
    SCOPED_TRACE(DescribeSpec(spec));
    const Case of = CaseOf(spec);
    std::vector<float> x = RandomNumbers(of.rows * of.features, 8);
    for (float& value : x) value = std::round(2 * value);
    x[3] = x[17] = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> x_hat = EmulatedForward<float>(of, x), expected = CpuForward(spec, x, of);
    for (size_t i = 0; i < x.size(); ++i) EXPECT_TRUE(IsNear(x_hat[i], expected[i], 0)) << i;
  }
}

TEST(CudaParamsTest, WhatHasNoKernelIsRefusedWithARemedy) {
  const QuantizerSpec ste{.estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kLinear};
  QuantizerSpec bitnet = ste, long_block = ste, rows = ste, thirds = ste;
  bitnet.estimator = "bitnet";
  bitnet.format = Format::kTernary;
  long_block.block = 2048;
  rows.granularity = Granularity::kRow;
  thirds.sparsity = {1, 3};
  thirds.block = 96;
  for (const auto& [spec, remedy] : {std::pair{bitnet, "use ridge, ste, quest, ridge_trust or ste_clip"},
                                     {long_block, "use at most 1024"},
                                     {rows, "use granularity block"},
                                     {thirds, "use groups of 2, 4, 8"}}) {
    const absl::Status status = ParamsOfSpec(spec).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
    EXPECT_NE(status.message().find(remedy), std::string::npos) << status;
  }
  EXPECT_TRUE(ParamsOfSpec(ste).ok());
}

TEST(CudaParamsTest, ASpecThatIsNotValidIsRefusedAsEverywhere) {
  const QuantizerSpec spec{.estimator = "quest", .format = Format::kInt4, .scheme = Scheme::kAffine};
  EXPECT_EQ(ParamsOfSpec(spec).status(), ValidateQuantizerSpec(spec));
}

}  // namespace
}  // namespace ridgeline::cuda
