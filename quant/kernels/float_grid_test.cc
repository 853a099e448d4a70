// SPDX-License-Identifier: Apache-2.0
// Floating-point, MX, NV and BitMoD blocks against tables of their levels and the scale rules as they are written.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "method/every_spec.h"
#include "quant/kernels/estimator.h"

namespace ridgeline {
namespace {

using Vector = std::vector<double>;

QuantizerSpec SteSpec(Format format, int64_t block) {
  return {.estimator = "ste", .format = format, .scheme = Scheme::kLinear, .block = block};
}

template <typename T>
std::vector<T> Quantized(const QuantizerSpec& spec, const std::vector<T>& x) {
  std::vector<T> x_hat(x.size());
  FindEstimator(spec.estimator).value()->Forward(spec, x.data(), 1, static_cast<int64_t>(x.size()), x_hat.data());
  return x_hat;
}

// The nearest level; of two that are as near, the one with the even mantissa.
double Nearest(const Vector& levels, double f) {
  const auto zero = static_cast<long>(levels.size() / 2);
  long best = 0;
  for (long i = 1; i < static_cast<long>(levels.size()); ++i) {
    const double nearer = std::abs(levels[static_cast<size_t>(i)] - f),
                 best_so_far = std::abs(levels[static_cast<size_t>(best)] - f);
    if (nearer < best_so_far || (nearer == best_so_far && (i - zero) % 2 == 0)) best = i;
  }
  return levels[static_cast<size_t>(best)];
}

// Every level, every midpoint, and what lies just beside them: with the largest level among them the scale is 1.
Vector NumbersAround(const Vector& levels) {
  Vector x;
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const double middle = (levels[i] + levels[i + 1]) / 2, step = levels[i + 1] - levels[i];
    for (double value : {levels[i], middle, middle - step / 64, middle + step / 64}) x.push_back(value);
  }
  x.push_back(levels.back());
  return x;
}

std::vector<Format> PlainFloats() {
  return FormatsWhere([](Format format) { return FloatElementOf(format).enabled() && HasGaussianGrid(format); }, 5);
}
std::vector<Format> FormatsWithScale(ScaleEncoding encoding) {
  std::vector<Format> formats;
  for (Format format : FormatsWhere([](Format format) { return !HasPlainScale(format); }, 8))
    if (ScaleEncodingOf(format) == encoding) formats.push_back(format);
  return formats;
}

TEST(FloatGridTest, EveryNumberRoundsToItsNearestLevelAndTiesToTheEvenOne) {
  for (Format format : PlainFloats()) {
    SCOPED_TRACE(FormatName(format));
    const Vector levels = LevelsOf(format), x = NumbersAround(levels);
    const Vector x_hat = Quantized(SteSpec(format, 1 << 20), x);
    const std::vector<float> in_float = Quantized(SteSpec(format, 1 << 20), std::vector<float>(x.begin(), x.end()));
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(x_hat[i], Nearest(levels, x[i])) << x[i];
      EXPECT_EQ(in_float[i], Nearest(levels, x[i])) << x[i];
    }
  }
}

Vector RandomVector(size_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal(0, 1);
  Vector x(n);
  for (double& value : x) value = normal(engine);
  return x;
}

double MaxAbs(const Vector& x) {
  double largest = 0;
  for (double value : x) largest = std::max(largest, std::abs(value));
  return largest;
}

TEST(FloatGridTest, MxScalesAreTheSmallestPowerOfTwoThatDoesNotClip) {
  ASSERT_GE(FormatsWithScale(ScaleEncoding::kPowerOfTwo).size(), 6u);
  for (Format format : FormatsWithScale(ScaleEncoding::kPowerOfTwo)) {
    SCOPED_TRACE(FormatName(format));
    for (double size : {1e-6, 0.7, 1.0, 3e5}) {
      Vector x = RandomVector(32, 3);
      for (double& value : x) value *= size;
      const double scale = std::exp2(std::ceil(std::log2(MaxAbs(x) / LargestElement(format))));
      const Vector x_hat = Quantized(SteSpec(format, 32), x);
      for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(x_hat[i], scale * Nearest(LevelsOf(format), x[i] / scale));
    }
  }
}

TEST(FloatGridTest, AnMxBlockAtAPowerOfTwoKeepsItsScale) {
  Vector x(32, 0);
  x[3] = 12;  // Twice the largest E2M1: the scale is 2 and not 4.
  x[4] = 1;
  EXPECT_EQ(Quantized(SteSpec(Format::kMxFp4, 32), x), x);
}

TEST(FloatGridTest, NvScalesAreE4m3TimesTheTensorsOwn) {
  const Vector e4m3 = LevelsOf(Format::kFp8E4M3);
  ASSERT_GE(FormatsWithScale(ScaleEncoding::kE4m3).size(), 2u);
  for (Format format : FormatsWithScale(ScaleEncoding::kE4m3)) {
    SCOPED_TRACE(FormatName(format));
    QuantizerSpec spec = SteSpec(format, 16);
    spec.tensor_max = 50;
    const double largest = LargestElement(format), tensor_scale = spec.tensor_max / (448 * largest);
    for (double size : {1e-7, 0.01, 1.0, 12.0}) {  // The first is below the smallest share, 2^-6.
      Vector x = RandomVector(16, 4);
      for (double& value : x) value *= size;
      const double share = Nearest(e4m3, std::clamp(MaxAbs(x) / largest / tensor_scale, 0x1p-6, 448.0));
      const Vector x_hat = Quantized(spec, x);
      for (size_t i = 0; i < x.size(); ++i) {
        const double f = x[i] / (share * tensor_scale);
        EXPECT_NEAR(x_hat[i], share * tensor_scale * Nearest(LevelsOf(format), f), 1e-12 * size);
      }
    }
  }
}

TEST(FloatGridTest, BitModReproducesBlocksOnEachOfItsFourTypes) {
  for (double extra : {3.0, -3.0, 6.0, -6.0}) {
    const Vector x = {0, 1, -1, 2, -2, 4, -4, extra};
    EXPECT_EQ(Quantized(SteSpec(Format::kBitModFp3, 8), x), x) << extra;
  }
  for (double extra : {10.0, -10.0, 16.0, -16.0}) {
    const Vector x = {0, 1, -1, 2, -2, 3, -3, 4, -4, 6, -6, 8, -8, 12, -12, extra};
    EXPECT_EQ(Quantized(SteSpec(Format::kBitModFp4, 16), x), x) << extra;
  }
}

TEST(FloatGridTest, BitModLosesWhatTheBestOfItsFourTypesLoses) {
  const Vector x = RandomVector(128, 5);
  double least = 1e9;
  for (double extra : {5.0, -5.0, 8.0, -8.0}) {
    Vector levels = LevelsOf(Format::kBitModFp4);
    levels.push_back(extra);
    const double scale = MaxAbs(x) / MaxAbs(levels);
    double sum = 0;
    for (double value : x) {
      double error = 1e9;
      for (double level : levels) error = std::min(error, std::abs(value - scale * level));
      sum += error * error;
    }
    least = std::min(least, sum);
  }
  const Vector x_hat = Quantized(SteSpec(Format::kBitModFp4, 128), x);
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += std::pow(x[i] - x_hat[i], 2);
  EXPECT_NEAR(sum, least, 1e-9);
}

TEST(FloatGridTest, BlocksOfZerosStayZero) {
  for (Format format : FormatsWhere(HasOwnElement, 15))
    for (double value : Quantized(SteSpec(format, 16), Vector(16, 0))) EXPECT_EQ(value, 0);
}

}  // namespace
}  // namespace ridgeline
