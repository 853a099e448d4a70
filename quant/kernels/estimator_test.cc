// SPDX-License-Identifier: Apache-2.0
// Holds the closed-form kernels against a plain model of the papers' definitions, and their gradients against central
// differences of that model with the rounding noise delta held still: that is what "detached" means. Codes that are not
// trusted are held still as a whole.
#include "quant/kernels/estimator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace ridgeline {
namespace {

using Vector = std::vector<double>;

// Relative to the largest gradient; central differences of a smooth function in double reach it.
constexpr double kFiniteDifferenceTolerance = 1e-6;
constexpr double kFloatTolerance = 2e-4;

struct PlainGrid {
  double scale, offset, lowest, highest, shift;
  bool is_sign;
};

double Mean(const Vector& x) {
  double sum = 0;
  for (double value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

PlainGrid GaussianGridOf(const QuantizerSpec& spec, const Vector& x) {
  int bits = IntegerBits(spec.format);
  bool affine = spec.scheme == Scheme::kAffine;
  double mean = affine ? Mean(x) : 0, squares = 0;
  for (double value : x) squares += (value - mean) * (value - mean);
  double extent = GaussianExtent(spec.format) * std::sqrt(squares / static_cast<double>(x.size()));
  double levels = std::pow(2.0, bits) - 1;
  if (affine) return {2 * extent / levels, mean - extent, 0, levels, 0, false};
  if (bits <= 1) return {extent, 0, -1, 1, 0, bits == 1};
  return {2 * extent / levels, 0, -levels / 2, levels / 2, 0.5, false};
}

PlainGrid GridOf(const QuantizerSpec& spec, const Vector& x) {
  if (spec.grid == GridStatistics::kGaussian) return GaussianGridOf(spec, x);
  int bits = IntegerBits(spec.format);
  if (spec.scheme == Scheme::kAffine) {
    auto [smallest, largest] = std::minmax_element(x.begin(), x.end());
    double levels = std::pow(2.0, bits) - 1;
    return {(*largest - *smallest) / levels, *smallest, 0, levels, 0, false};
  }
  double sum = 0, largest = 0;
  for (double value : x) {
    sum += std::abs(value);
    largest = std::max(largest, std::abs(value));
  }
  double mean = sum / static_cast<double>(x.size());
  if (spec.format == Format::kInt1) return {mean, 0, -1, 1, 0, true};
  if (spec.format == Format::kTernary) return {mean, 0, -1, 1, 0, false};
  double highest = std::pow(2.0, bits - 1) - 0.5;
  return {largest / highest, 0, -highest, highest, 0.5, false};
}

Vector CodesOf(const PlainGrid& grid, const Vector& x) {
  Vector q;
  for (double value : x) {
    double f = (value - grid.offset) / grid.scale;
    double nearest = std::clamp(std::nearbyint(f - grid.shift) + grid.shift, grid.lowest, grid.highest);
    q.push_back(grid.is_sign ? (value < 0 ? -1 : 1) : nearest);
  }
  return q;
}

// The paper's g: dequantizes q by a ridge regression of x on it, over one block.
Vector RidgeOf(const QuantizerSpec& spec, const Vector& x, const Vector& q) {
  bool affine = spec.scheme == Scheme::kAffine;
  double q_mean = affine ? Mean(q) : 0, x_mean = affine ? Mean(x) : 0, xq = 0, qq = 0;
  double n = static_cast<double>(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    xq += (x[i] - x_mean) * (q[i] - q_mean) / n;
    qq += (q[i] - q_mean) * (q[i] - q_mean) / n;
  }
  Vector x_hat;
  for (double code : q) x_hat.push_back(xq / (qq + spec.lambda) * (code - q_mean) + x_mean);
  return x_hat;
}

// What stays still while x moves: the grid of a detached spec, the rounding noise, and the codes that are not trusted.
struct Frozen {
  PlainGrid grid;
  Vector codes, delta;
  std::vector<bool> trusted;
};

Frozen FreezeAt(const QuantizerSpec& spec, const Vector& x) {
  Frozen frozen{GridOf(spec, x), {}, {}, {}};
  frozen.codes = CodesOf(frozen.grid, x);
  bool trusts_all = spec.estimator == "ridge" || spec.estimator == "ste";
  double centre = (frozen.grid.lowest + frozen.grid.highest) / 2;
  for (size_t i = 0; i < x.size(); ++i) {
    double f = (x[i] - frozen.grid.offset) / frozen.grid.scale;
    frozen.delta.push_back(frozen.codes[i] - f);
    bool is_near = spec.format == Format::kInt1 ? std::abs(f - centre) <= 1.30 * (frozen.grid.highest - centre)
                                                : std::abs(frozen.delta[i]) <= 0.5;
    frozen.trusted.push_back(trusts_all || is_near);
  }
  return frozen;
}

// H x by its definition.
Vector Rotate(const Vector& x) {
  Vector y(x.size(), 0);
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j < x.size(); ++j) y[i] += __builtin_parityll(i & j) ? -x[j] : x[j];
  for (double& value : y) value /= std::sqrt(static_cast<double>(x.size()));
  return y;
}

// One block: q = f(x) + delta where that is trusted.
Vector DequantizeRotated(const QuantizerSpec& spec, const Vector& x, const Frozen& frozen) {
  PlainGrid grid = spec.grid_gradient == GridGradient::kGraph ? GridOf(spec, x) : frozen.grid;
  Vector q;
  for (size_t i = 0; i < x.size(); ++i)
    q.push_back(frozen.trusted[i] ? (x[i] - grid.offset) / grid.scale + frozen.delta[i] : frozen.codes[i]);
  if (spec.estimator == "ridge" || spec.estimator == "ridge_trust") return RidgeOf(spec, x, q);
  Vector x_hat;
  for (double code : q) x_hat.push_back(code * grid.scale + grid.offset);
  return x_hat;
}

// `at` is where the noise was drawn, `x` where the model is asked.
Vector Dequantize(const QuantizerSpec& spec, const Vector& x, const Vector& at) {
  if (!spec.hadamard) return DequantizeRotated(spec, x, FreezeAt(spec, at));
  return Rotate(DequantizeRotated(spec, Rotate(x), FreezeAt(spec, Rotate(at))));
}

Vector NumericalGradient(const QuantizerSpec& spec, const Vector& x, const Vector& v) {
  Vector gradient;
  auto loss = [&](const Vector& moved) {
    Vector x_hat = Dequantize(spec, moved, x);
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += v[i] * x_hat[i];
    return sum;
  };
  const double h = 1e-6;
  for (size_t i = 0; i < x.size(); ++i) {
    Vector up = x, down = x;
    up[i] += h;
    down[i] -= h;
    gradient.push_back((loss(up) - loss(down)) / (2 * h));
  }
  return gradient;
}

Vector RandomVector(size_t n, unsigned seed, double mean = 0.3) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal(mean, 1);
  Vector x(n);
  for (double& value : x) value = normal(engine);
  return x;
}

template <typename T>
std::vector<T> RunForward(const QuantizerSpec& spec, const std::vector<T>& x, int64_t rows = 1) {
  std::vector<T> x_hat(x.size());
  int64_t features = static_cast<int64_t>(x.size()) / rows;
  FindEstimator(spec.estimator).value()->Forward(spec, x.data(), rows, features, x_hat.data());
  return x_hat;
}

template <typename T>
std::vector<T> RunBackward(const QuantizerSpec& spec, const std::vector<T>& x, const std::vector<T>& v) {
  std::vector<T> dx(x.size());
  int64_t features = static_cast<int64_t>(x.size());
  FindEstimator(spec.estimator).value()->Backward(spec, x.data(), v.data(), 1, features, dx.data());
  return dx;
}

double LargestDifference(const Vector& a, const Vector& b) {
  double largest = 0, scale = 1e-12;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]));
    scale = std::max(scale, std::abs(b[i]));
  }
  return largest / scale;
}

struct Quantizer {
  std::string estimator;
  Scheme scheme;
  Format format;
};

// Each way to set, rotate and differentiate the quantizer's grid.
std::vector<QuantizerSpec> GridsOf(const Quantizer& quantizer) {
  std::vector<QuantizerSpec> specs;
  for (GridGradient gradient : {GridGradient::kDetached, GridGradient::kGraph})
    for (GridStatistics grid : {GridStatistics::kMinMax, GridStatistics::kGaussian})
      for (bool hadamard : {false, true}) {
        QuantizerSpec spec{quantizer.estimator, quantizer.format, quantizer.scheme, 128, 0.01,
                           gradient, grid, hadamard};
        if (ValidateQuantizerSpec(spec).ok()) specs.push_back(spec);
      }
  return specs;
}

std::vector<Quantizer> EveryQuantizer() {
  std::vector<Quantizer> quantizers;
  for (std::string estimator : {"ridge", "ste", "quest", "ridge_trust"})
    for (Scheme scheme : {Scheme::kLinear, Scheme::kAffine})
      for (Format format :
           {Format::kInt1, Format::kInt2, Format::kInt3, Format::kInt4, Format::kInt8, Format::kTernary})
        if (!GridsOf({estimator, scheme, format}).empty()) quantizers.push_back({estimator, scheme, format});
  return quantizers;
}

std::string Describe(const QuantizerSpec& spec, size_t n) {
  return std::string(GridStatisticsName(spec.grid)) + (spec.hadamard ? " hadamard" : "") +
         (spec.grid_gradient == GridGradient::kGraph ? " graph" : "") + ", n = " + std::to_string(n);
}

class EveryGridTest : public ::testing::TestWithParam<Quantizer> {
 protected:
  // Calls test(spec, n) for each grid and each of the lengths that it can have as one block.
  template <typename Test>
  void ForEachGrid(std::initializer_list<size_t> lengths, const Test& test) {
    for (QuantizerSpec spec : GridsOf(GetParam()))
      for (size_t n : lengths) {
        spec.block = static_cast<int64_t>(n);
        if (!ValidateQuantizerSpec(spec).ok()) continue;
        SCOPED_TRACE(Describe(spec, n));
        test(spec, n);
      }
  }
};

TEST_P(EveryGridTest, ForwardIsThePapersDefinition) {
  ForEachGrid({2, 7, 32, 128}, [](const QuantizerSpec& spec, size_t n) {
    Vector x = RandomVector(n, 1);
    EXPECT_LT(LargestDifference(RunForward(spec, x), Dequantize(spec, x, x)), 1e-9);
  });
}

TEST_P(EveryGridTest, BackwardIsTheDerivativeWithTheNoiseHeldStill) {
  ForEachGrid({2, 9, 32, 128}, [](const QuantizerSpec& spec, size_t n) {
    Vector x = RandomVector(n, 2), v = RandomVector(n, 3);
    EXPECT_LT(LargestDifference(RunBackward(spec, x, v), NumericalGradient(spec, x, v)), kFiniteDifferenceTolerance);
  });
}

TEST_P(EveryGridTest, FloatAgreesWithDouble) {
  ForEachGrid({128}, [](const QuantizerSpec& spec, size_t n) {
    std::vector<float> x, v;
    for (double value : RandomVector(n, 4)) x.push_back(static_cast<float>(value));
    for (double value : RandomVector(n, 5)) v.push_back(static_cast<float>(value));
    auto widen = [](const std::vector<float>& from) { return Vector(from.begin(), from.end()); };
    EXPECT_LT(LargestDifference(widen(RunForward(spec, x)), RunForward(spec, widen(x))), kFloatTolerance);
    EXPECT_LT(LargestDifference(widen(RunBackward(spec, x, v)), RunBackward(spec, widen(x), widen(v))),
              kFloatTolerance);
  });
}

TEST_P(EveryGridTest, DegenerateBlocksGiveFiniteNumbers) {
  std::vector<std::vector<float>> blocks = {
      std::vector<float>(8, 0.0f), std::vector<float>(8, 3.5f), {1.0f}, std::vector<float>(8, 1e-40f),
      {0, 0, 0, 1e30f}, {-1e30f, 1e30f}, {0, 0, 0, 1e-20f}};
  for (QuantizerSpec spec : GridsOf(GetParam()))
    for (const auto& x : blocks) {
      SCOPED_TRACE(Describe(spec, x.size()));
      spec.block = static_cast<int64_t>(x.size());
      std::vector<float> v(x.size(), 1.0f);
      for (float value : RunForward(spec, x)) EXPECT_TRUE(std::isfinite(value)) << x.back();
      for (float value : RunBackward(spec, x, v)) EXPECT_TRUE(std::isfinite(value)) << x.back();
    }
}

TEST_P(EveryGridTest, ABlockWithoutExtentIsReproduced) {
  ForEachGrid({8}, [](const QuantizerSpec& spec, size_t n) {
    for (double value : {0.0, 1e-200}) {
      Vector x(n, value), v = RandomVector(n, 6);
      EXPECT_LT(LargestDifference(RunForward(spec, x), x), 1e-12);
      EXPECT_LT(LargestDifference(RunBackward(spec, x, v), v), 1e-12);
    }
  });
}

TEST_P(EveryGridTest, ANanMakesItsBlockNanAndLeavesTheOthersAlone) {
  for (QuantizerSpec spec : GridsOf(GetParam())) {
    SCOPED_TRACE(Describe(spec, 4));
    spec.block = 4;
    std::vector<float> x = {1, 2, std::numeric_limits<float>::quiet_NaN(), 4, 5, 6, 7, 9};
    std::vector<float> x_hat = RunForward(spec, x);
    for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(std::isnan(x_hat[i]));
    for (size_t i = 4; i < 8; ++i) EXPECT_TRUE(std::isfinite(x_hat[i]));
  }
}

INSTANTIATE_TEST_SUITE_P(Grids, EveryGridTest, ::testing::ValuesIn(EveryQuantizer()), [](const auto& info) {
  return info.param.estimator + "_" + std::string(SchemeName(info.param.scheme)) + "_" +
         std::string(FormatName(info.param.format));
});

TEST(EstimatorTest, AGaussianGridFollowsNumbersWhoseSquaresLeaveTheRangeOfFloat) {
  std::vector<float> x;
  for (double value : RandomVector(64, 8)) x.push_back(static_cast<float>(value));
  for (std::string estimator : {"ste", "quest", "ridge", "ridge_trust"})
    for (float unit : {0x1p80f, 0x1p-80f}) {
      QuantizerSpec spec{.estimator = estimator, .format = Format::kInt2, .scheme = Scheme::kLinear,
                         .grid = GridStatistics::kGaussian};
      std::vector<float> scaled = x, expected = RunForward(spec, x);
      for (float& value : scaled) value *= unit;
      std::vector<float> x_hat = RunForward(spec, scaled);
      for (size_t i = 0; i < x.size(); ++i)
        EXPECT_NEAR(x_hat[i] / unit, expected[i], kFloatTolerance) << estimator << ", numbers times " << unit;
    }
}

TEST(EstimatorTest, AConstantBlockIsReproduced) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kInt1, .scheme = Scheme::kAffine};
  for (double value : RunForward(spec, Vector(16, 2.5))) EXPECT_EQ(value, 2.5);
}

TEST(EstimatorTest, WithoutNoiseAndPenaltyRidgeIsStraightThrough) {
  // Numbers that already lie on the grid: delta = 0; with lambda = 0 the regression is exact.
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kInt2, .scheme = Scheme::kAffine, .lambda = 0};
  Vector x = {0, 1, 2, 3, 3, 1, 0, 2}, v = RandomVector(8, 7);
  EXPECT_LT(LargestDifference(RunForward(spec, x), x), 1e-12);
  EXPECT_LT(LargestDifference(RunBackward(spec, x, v), v), 1e-12);
}

TEST(EstimatorTest, LambdaMeansTheSameInBothSchemes) {
  // Codes -1 and +1 in equal parts have Var q = mean q^2 = 1, so both schemes shrink by 1 / (1 + lambda);
  // affine labels them 0 and 1 (Var q = 1/4), which four times less lambda undoes.
  Vector x = {-1, 1, -1, 1};
  QuantizerSpec linear{.estimator = "ridge", .format = Format::kInt1, .scheme = Scheme::kLinear, .lambda = 0.4};
  QuantizerSpec affine{.estimator = "ridge", .format = Format::kInt1, .scheme = Scheme::kAffine, .lambda = 0.1};
  EXPECT_NEAR(RunForward(linear, x)[1], 1 / 1.4, 1e-12);
  EXPECT_NEAR(RunForward(affine, x)[1], 1 / 1.4, 1e-12);
}

TEST(EstimatorTest, BlocksDoNotSeeEachOtherAndATailIsABlock) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kInt2, .scheme = Scheme::kAffine, .block = 8};
  Vector x = RandomVector(2 * 11, 9);  // Two rows of 8 + 3.
  Vector whole = RunForward(spec, x, 2);
  for (size_t begin : {0u, 8u, 11u, 19u}) {
    size_t end = begin + (begin % 11 == 0 ? 8 : 3);
    Vector part = RunForward(spec, Vector(x.begin() + static_cast<long>(begin), x.begin() + static_cast<long>(end)));
    for (size_t i = begin; i < end; ++i) EXPECT_EQ(whole[i], part[i - begin]);
  }
}

TEST(EstimatorTest, UnknownNameListsTheEstimators) {
  EXPECT_NE(std::string(FindEstimator("rigde").status().message()).find("ridge, ste, quest, ridge_trust"), std::string::npos);
}

}  // namespace
}  // namespace ridgeline
