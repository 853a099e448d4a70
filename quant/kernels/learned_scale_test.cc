// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/learned_scale.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "method/every_spec.h"

namespace ridgeline {
namespace {

using Vector = std::vector<double>;

constexpr int64_t kFeatures = 96;

LearnedLevels Levels(const std::string& estimator, Format format) {
  return LearnedLevelsOf({.estimator = estimator, .format = format}).value();
}

// Each estimator that learns a scale, in each of its formats.
std::vector<QuantizerSpec> EveryLearned() {
  return EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.learns_scale(); }});
}

Vector RandomVector(unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal(0, 1);
  Vector x(static_cast<size_t>(kFeatures));
  for (double& value : x) value = normal(engine);
  return x;
}

Vector Forward(const LearnedLevels& levels, const Vector& x, double scale) {
  Vector x_hat(x.size());
  LearnedScaleForward(levels, x.data(), &scale, 1, static_cast<int64_t>(x.size()), x_hat.data());
  return x_hat;
}

// The levels that a fine sweep of numbers finds, in units of the scale.
std::set<double> LevelsFound(const LearnedLevels& levels) {
  Vector sweep;
  for (double f = -20; f <= 20; f += 1.0 / 1024) sweep.push_back(2 * f);
  std::set<double> found;
  for (double value : Forward(levels, sweep, 2)) found.insert(std::round(value / 2 * 1e9) / 1e9 + 0.0);
  return found;
}

// docs/methods.md#lsq-paretoq-post-asq, by enumeration.
TEST(LearnedScaleTest, ParetoqHasThePapersLevels) {
  EXPECT_EQ(LevelsFound(Levels("paretoq", Format::kInt1)), (std::set<double>{-1, 1}));
  EXPECT_EQ(LevelsFound(Levels("paretoq", Format::kTernary)), (std::set<double>{-0.666666667, 0, 0.666666667}));
  EXPECT_EQ(LevelsFound(Levels("paretoq", Format::kInt2)), (std::set<double>{-0.75, -0.25, 0.25, 0.75}));
  EXPECT_EQ(LevelsFound(Levels("paretoq", Format::kInt3)), (std::set<double>{-4, -3, -2, -1, 0, 1, 2, 3}));
}

TEST(LearnedScaleTest, PostHasPowersOfTheRootOfTwo) {
  const double root = std::round(1e9 / std::sqrt(2.0)) / 1e9;
  EXPECT_EQ(LevelsFound(Levels("post", Format::kInt2)), (std::set<double>{-1, 0, 1}));
  EXPECT_EQ(LevelsFound(Levels("post", Format::kInt3)), (std::set<double>{-1, -root, -0.5, 0, 0.5, root, 1}));
  EXPECT_EQ(LevelsFound(Levels("post", Format::kInt4)).size(), 15u);
}

TEST(LearnedScaleTest, PostRoundsInTheNumbersThemselves) {
  Vector table = {0};
  for (int k = 0; k < 7; ++k) table.insert(table.end(), {std::exp2(-k / 2.0), -std::exp2(-k / 2.0)});
  const Vector x = RandomVector(1), x_hat = Forward(Levels("post", Format::kInt4), x, 1.3);
  for (size_t i = 0; i < x.size(); ++i) {
    double nearest = 0;
    for (double level : table)
      if (std::abs(level - x[i] / 1.3) < std::abs(nearest - x[i] / 1.3)) nearest = level;
    EXPECT_NEAR(x_hat[i], 1.3 * nearest, 1e-12);
  }
}

// With delta = level - f of the numbers within reach, and the levels of the others, held still, x_hat is
// f scale + delta scale, or level scale: what the closed form must be the derivative of. Signs hold still as they are.
double Loss(const LearnedLevels& levels, const Vector& x, double scale, const Vector& at_x, double at_scale,
            const Vector& v) {
  const Vector at_x_hat = Forward(levels, at_x, at_scale);
  const double reach = levels.kind == LevelKind::kStretched ? 0.99 : 1;
  const bool uniform = levels.kind == LevelKind::kUniform;
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double f = at_x[i] / at_scale, level = at_x_hat[i] / at_scale;
    const bool within = uniform ? f >= levels.lowest && f <= levels.highest : std::abs(f) <= reach;
    double x_hat = level * scale;
    if (within && levels.kind != LevelKind::kSign) x_hat = (x[i] / scale + (level - f)) * scale;
    if (within && levels.kind == LevelKind::kSign) x_hat += x[i] - at_x[i];
    sum += v[i] * x_hat;
  }
  return sum;
}

TEST(LearnedScaleTest, BackwardIsTheDerivativeWithTheNoiseHeldStill) {
  const Vector x = RandomVector(2), v = RandomVector(3);
  EXPECT_GE(EveryLearned().size(), 30u);
  for (const QuantizerSpec& learned : EveryLearned()) {
    SCOPED_TRACE(DescribeSpec(learned));
    const LearnedLevels levels = Levels(learned.estimator, learned.format);
    const double scale = levels.kind == LevelKind::kUniform ? 1.7 / levels.highest : 1.1, h = 1e-6;
    Vector dx(x.size());
    double d_scale = 0;
    LearnedScaleBackward(levels, x.data(), v.data(), &scale, 1, kFeatures, dx.data(), &d_scale);
    EXPECT_NEAR(d_scale, (Loss(levels, x, scale + h, x, scale, v) - Loss(levels, x, scale - h, x, scale, v)) / (2 * h),
                1e-6);
    for (size_t i = 0; i < x.size(); ++i) {
      Vector up = x, down = x;
      up[i] += h;
      down[i] -= h;
      EXPECT_NEAR(dx[i], (Loss(levels, up, scale, x, scale, v) - Loss(levels, down, scale, x, scale, v)) / (2 * h),
                  1e-6);
    }
  }
}

TEST(LearnedScaleTest, EachRowHasItsScaleAndANanStaysInItsRow) {
  const LearnedLevels levels = Levels("lsq", Format::kInt4);
  const std::vector<float> x = {1, 2, std::numeric_limits<float>::quiet_NaN(), 1, 1, 2}, scale = {0.5f, 1.0f, 2.0f};
  std::vector<float> x_hat(x.size());
  LearnedScaleForward(levels, x.data(), scale.data(), 3, 2, x_hat.data());
  EXPECT_EQ(x_hat[0], 1);
  EXPECT_EQ(x_hat[1], 2);
  EXPECT_TRUE(std::isnan(x_hat[2]) && std::isnan(x_hat[3]));
  EXPECT_EQ(x_hat[4], 0);  // One half: ties to even.
  EXPECT_EQ(x_hat[5], 2);
}

TEST(LearnedScaleTest, WhatHasNoDefinitionIsRefusedByName) {
  EXPECT_NE(
      std::string(LearnedLevelsOf({.estimator = "paretoq", .format = Format::kInt8}).status().message()).find("int3"),
      std::string::npos);
  EXPECT_FALSE(LearnedLevelsOf({.estimator = "post", .format = Format::kInt1}).ok());
  EXPECT_FALSE(LearnedLevelsOf({.estimator = "lsq", .format = Format::kFp4}).ok());
  EXPECT_FALSE(LearnedLevelsOf({.estimator = "ste", .format = Format::kInt4}).ok());
}

}  // namespace
}  // namespace ridgeline
