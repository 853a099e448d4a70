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

#include "method/every_spec.h"
#include "method/problems.h"
#include "method/resolved_spec.h"
#include "quant/kernels/estimator_ref.h"
#include "quant/testing/all_close.h"

namespace ridgeline {
namespace {

using Vector = std::vector<double>;

// Relative to the largest gradient; central differences of a smooth function in double reach it.
constexpr double kFiniteDifferenceTolerance = 1e-6;
constexpr double kFloatTolerance = 2e-4;

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
  EstimatorFor(spec).value()->Forward(spec, x.data(), rows, features, x_hat.data());
  return x_hat;
}

template <typename T>
std::vector<T> RunBackward(const QuantizerSpec& spec, const std::vector<T>& x, const std::vector<T>& v) {
  std::vector<T> x_hat(x.size()), dx(x.size());
  int64_t features = static_cast<int64_t>(x.size());
  std::vector<uint8_t> saved(static_cast<size_t>(SavedBytes(spec, features, sizeof(T))));
  const Estimator& estimator = **EstimatorFor(spec);
  estimator.Forward(spec, x.data(), 1, features, x_hat.data(), saved.data());
  estimator.Backward(spec, x.data(), saved.data(), v.data(), 1, features, dx.data());
  return dx;
}

Vector Pruned(const SparsityPattern& sparsity, const Vector& x) { return RunForward({.sparsity = sparsity}, x); }

// Rows of the shared grids: what estimator_ref.h defines.
bool HasSharedGrid(const EstimatorTraits& traits) { return traits.has_shared_grid(); }

// Each way to prune, and to set, rotate and differentiate the quantizer's grid; with its fit held still where it has
// one, and with a mask that ends within the grid or beyond its own.
std::vector<QuantizerSpec> EveryGrid() {
  return EverySpec({.estimators = HasSharedGrid,
                    .formats = FormatsWhere(IsIntegerOrTernary, 9),
                    .rotations = {{}, {true}, {true, true}, {true, true, true}},
                    .sparsities = {{}, {2, 4}, {3, 16}},
                    .fit_gradients = {FitGradient::kOwn, FitGradient::kGraph, FitGradient::kDetached},
                    .trusts = {0, 0.8, 1.7},
                    .block = 128});
}

// The grids of an estimator in one format and scheme.
struct Quantizer {
  std::string name;
  std::vector<QuantizerSpec> grids;
};

std::vector<Quantizer> EveryQuantizer() {
  std::vector<Quantizer> quantizers;
  for (const QuantizerSpec& spec : EveryGrid()) {
    const std::string name =
        spec.estimator + "_" + std::string(SchemeName(spec.scheme)) + "_" + std::string(FormatName(spec.format));
    if (quantizers.empty() || quantizers.back().name != name) quantizers.push_back({name, {}});
    quantizers.back().grids.push_back(spec);
  }
  return quantizers;
}

TEST(EveryGridTest, IsThatOfEveryRowOfTheSharedGrids) {
  EXPECT_GE(EveryQuantizer().size(), 5u * 9);  // Twice, but for ternary and quest, which are linear.
  EXPECT_GE(EveryGrid().size(), 1000u);
}

class EstimatorGridTest : public ::testing::TestWithParam<Quantizer> {
 protected:
  // Calls test(spec, n) for each grid and each of the lengths that it can have as one block.
  template <typename Test>
  void ForEachGrid(std::initializer_list<size_t> lengths, const Test& test) {
    for (QuantizerSpec spec : GetParam().grids)
      for (size_t n : lengths) {
        spec.block = static_cast<int64_t>(n);
        if (!ValidateQuantizerSpec(spec).ok() || !ValidateFeatures(spec, spec.block).ok()) continue;
        SCOPED_TRACE(DescribeSpec(spec));
        test(spec, n);
      }
  }
};

TEST_P(EstimatorGridTest, ForwardIsThePapersDefinition) {
  ForEachGrid({2, 7, 32, 128}, [](const QuantizerSpec& spec, size_t n) {
    Vector x = RandomVector(n, 1);
    EXPECT_TRUE(AllClose(RunForward(spec, x), Dequantize_ref(spec, x, x), 1e-9));
  });
}

TEST_P(EstimatorGridTest, BackwardIsTheDerivativeWithTheNoiseHeldStill) {
  ForEachGrid({2, 9, 32, 128}, [](const QuantizerSpec& spec, size_t n) {
    Vector x = RandomVector(n, 2), v = RandomVector(n, 3);
    EXPECT_TRUE(AllClose(RunBackward(spec, x, v), NumericalGradient_ref(spec, x, v), kFiniteDifferenceTolerance));
  });
}

TEST_P(EstimatorGridTest, FloatAgreesWithDouble) {
  ForEachGrid({128}, [](const QuantizerSpec& spec, size_t n) {
    std::vector<float> x, v;
    for (double value : RandomVector(n, 4)) x.push_back(static_cast<float>(value));
    for (double value : RandomVector(n, 5)) v.push_back(static_cast<float>(value));
    auto widen = [](const std::vector<float>& from) { return Vector(from.begin(), from.end()); };
    EXPECT_TRUE(AllClose(widen(RunForward(spec, x)), RunForward(spec, widen(x)), kFloatTolerance));
    EXPECT_TRUE(AllClose(widen(RunBackward(spec, x, v)), RunBackward(spec, widen(x), widen(v)), kFloatTolerance));
  });
}

// Without extent, with one number, a tail of one, denormal, at and beyond the ends of float.
std::vector<std::vector<float>> DegenerateBlocks() {
  const float largest = std::numeric_limits<float>::max(), denormal = std::numeric_limits<float>::denorm_min();
  std::vector<std::vector<float>> blocks = {
      std::vector<float>(16, 0.0f),    std::vector<float>(16, 3.5f),     {1.0f},
      std::vector<float>(16, 1e-40f),  std::vector<float>(16, denormal), std::vector<float>(16, largest),
      std::vector<float>(17, -largest)};
  for (float outlier : {1e30f, 1e33f, largest, 1e-20f, denormal}) {
    std::vector<float> one(32, 0.0f), both(33, 0.0f);
    one[30] = both[0] = outlier;
    both[32] = -outlier;
    blocks.push_back(one);
    blocks.push_back(both);
  }
  return blocks;
}

TEST_P(EstimatorGridTest, DegenerateBlocksGiveFiniteNumbers) {
  for (QuantizerSpec spec : GetParam().grids)
    for (const auto& x : DegenerateBlocks()) {
      if (!ValidateFeatures(spec, static_cast<int64_t>(x.size())).ok()) spec.sparsity = {};
      if (spec.hadamard && (x.size() & (x.size() - 1)) != 0) continue;
      // H x of numbers near the end of float is beyond it.
      if (spec.hadamard && *std::max_element(x.begin(), x.end()) > 1e35f) continue;
      SCOPED_TRACE(DescribeSpec(spec) + ", last " + std::to_string(x.back()));
      spec.block = spec.hadamard ? static_cast<int64_t>(x.size()) : 16;
      std::vector<float> v(x.size(), 1.0f);
      for (float value : RunForward(spec, x)) ASSERT_TRUE(std::isfinite(value));
      for (float value : RunBackward(spec, x, v)) ASSERT_TRUE(std::isfinite(value));
    }
}

TEST_P(EstimatorGridTest, ABlockWhoseScaleHasNoInverseIsReproduced) {
  ForEachGrid({16}, [](const QuantizerSpec& spec, size_t n) {
    if (spec.stays_rotated) return;  // H x is not x.
    for (double value : {0.0, 1e-200, 1e200}) {
      Vector x(n, value), v = RandomVector(n, 6);
      for (size_t i = 0; i < n; i += 2) x[i] = -value;
      const Vector expected = spec.sparsity.is_sparse() && !spec.hadamard ? Pruned(spec.sparsity, x) : x;
      if (!spec.sparsity.is_sparse() || !spec.hadamard) {
        EXPECT_TRUE(AllClose(RunForward(spec, x), expected, 1e-12));
      }
      EXPECT_TRUE(AllClose(RunBackward(spec, x, v), v, 1e-12));
    }
  });
}

TEST_P(EstimatorGridTest, WhatIsNotFiniteMakesItsBlockNanAndLeavesTheOthersAlone) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (QuantizerSpec spec : GetParam().grids)
    for (auto [poison, at] : {std::pair{std::numeric_limits<float>::quiet_NaN(), size_t{18}},
                              {infinity, size_t{18}},
                              {-infinity, size_t{18}},
                              {infinity, size_t{16}}}) {
      SCOPED_TRACE(DescribeSpec(spec) + " at " + std::to_string(at));
      spec.block = 16;
      std::vector<float> x, v(48, 1.0f);
      for (double value : RandomVector(48, 10)) x.push_back(static_cast<float>(value));
      x[at] = poison;
      const std::vector<float> x_hat = RunForward(spec, x), dx = RunBackward(spec, x, v);
      for (size_t i = 0; i < 48; ++i) {
        EXPECT_EQ(std::isnan(x_hat[i]), i / 16 == 1);
        EXPECT_TRUE(std::isfinite(dx[i]) || i / 16 == 1);
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Grids, EstimatorGridTest, ::testing::ValuesIn(EveryQuantizer()),
                         [](const auto& info) { return info.param.name; });

TEST(EstimatorTest, AGaussianGridFollowsNumbersWhoseSquaresLeaveTheRangeOfFloat) {
  std::vector<float> x;
  for (double value : RandomVector(64, 8)) x.push_back(static_cast<float>(value));
  for (const QuantizerSpec& spec : EverySpec({.estimators = HasSharedGrid,
                                   .formats = {Format::kInt2},
                                   .schemes = {Scheme::kLinear},
                                   .grids = {GridStatistics::kGaussian},
                                   .grid_gradients = {GridGradient::kDetached}}))
    for (float unit : {0x1p80f, 0x1p-80f}) {
      std::vector<float> scaled = x, expected = RunForward(spec, x);
      for (float& value : scaled) value *= unit;
      std::vector<float> x_hat = RunForward(spec, scaled);
      for (size_t i = 0; i < x.size(); ++i)
        EXPECT_NEAR(x_hat[i] / unit, expected[i], kFloatTolerance) << spec.estimator << ", numbers times " << unit;
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
  EXPECT_TRUE(AllClose(RunForward(spec, x), x, 1e-12));
  EXPECT_TRUE(AllClose(RunBackward(spec, x, v), v, 1e-12));
}

TEST(EstimatorTest, ADetachedFitKeepsTheValuesAndPassesTheGradientOfSteOrQuest) {
  Vector x = RandomVector(128, 11), v = RandomVector(128, 12);
  for (auto [fitted, plain] : {std::pair{"ridge", "ste"}, {"ridge_trust", "quest"}}) {
    QuantizerSpec detached{.estimator = fitted,
                           .format = Format::kInt2,
                           .scheme = Scheme::kLinear,
                           .grid = GridStatistics::kGaussian,
                           .fit_gradient = FitGradient::kDetached};
    QuantizerSpec graph = detached, other = detached;
    graph.fit_gradient = FitGradient::kGraph;
    other.estimator = plain;
    EXPECT_EQ(RunForward(detached, x), RunForward(graph, x)) << fitted;
    EXPECT_EQ(RunBackward(detached, x, v), RunBackward(other, x, v)) << fitted;
    EXPECT_NE(RunBackward(detached, x, v), RunBackward(graph, x, v)) << fitted;
  }
}

// Of four numbers at one bit: mean 0, RMS 3.2016, so that the level is at 2.5545 and trust ends at 3.3209.
TEST(EstimatorTest, RidgeTrustPassesTrustedElementsStraightThroughAndTheOthersNotAtAll) {
  const QuantizerSpec spec{.estimator = "ridge_trust",
                           .format = Format::kInt1,
                           .scheme = Scheme::kAffine,
                           .grid = GridStatistics::kGaussian};
  EXPECT_EQ(RunBackward(spec, Vector{-4.5, 0.5, -0.5, 4.5}, Vector{1, 2, 3, 5}), (Vector{0, 2, 3, 0}));
}

TEST(EstimatorTest, TrustIsInOutermostLevelsFromTheCentre) {
  // Symmetric numbers: the affine grid, whose centre is their mean, and the linear one trust the same.
  Vector x, v;
  for (int i = 1; i <= 64; ++i)
    for (int sign : {-1, 1}) x.push_back(sign * i / 16.0), v.push_back(1);
  double squares = 0;
  for (double value : x) squares += value * value;
  for (Format format : {Format::kInt1, Format::kInt4}) {
    const double extent = GaussianExtent(format) * std::sqrt(squares / static_cast<double>(x.size()));
    for (Scheme scheme : {Scheme::kLinear, Scheme::kAffine})
      for (double trust : {0.5, 1.01}) {
        QuantizerSpec spec{.estimator = "ridge_trust",
                           .format = format,
                           .scheme = scheme,
                           .grid = GridStatistics::kGaussian,
                           .fit_gradient = FitGradient::kDetached,
                           .trust = trust};
        const Vector dx = RunBackward(spec, x, v);
        for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(dx[i], std::abs(x[i]) <= trust * extent) << x[i];
      }
  }
}

// Of 100 numbers with an RMS of 1: the level is at 1.224, half a step beyond it at 1.836.
TEST(EstimatorTest, TernaryNumbersAreTrustedHalfAStepBeyondTheirLevelOrAsFarAsTheSpecSays) {
  Vector x(100, std::sqrt((100 - 1.2 * 1.2 - 1.3 * 1.3 - 1.8 * 1.8 - 1.9 * 1.9) / 96)), v(100, 1);
  x[0] = 1.2, x[1] = -1.3, x[2] = 1.8, x[3] = -1.9;
  for (const char* estimator : {"quest", "ridge_trust"}) {
    QuantizerSpec spec{.estimator = estimator,
                       .format = Format::kTernary,
                       .scheme = Scheme::kLinear,
                       .grid = GridStatistics::kGaussian};
    auto first_four = [&] {
      const Vector dx = RunBackward(spec, x, v);
      return Vector(dx.begin(), dx.begin() + 4);
    };
    EXPECT_EQ(first_four(), (Vector{1, 1, 1, 0})) << estimator;
    spec.trust = 1;
    EXPECT_EQ(first_four(), (Vector{1, 0, 0, 0})) << estimator;
  }
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
  EXPECT_NE(std::string(FindEstimator("rigde").status().message()).find("ridge, ste, quest, ridge_trust"),
            std::string::npos);
}

}  // namespace
}  // namespace ridgeline
