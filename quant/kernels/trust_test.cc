// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/trust.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "method/every_spec.h"
#include "method/problems.h"
#include "method/resolved_spec.h"
#include "quant/kernels/estimator.h"

namespace ridgeline {
namespace {

QuantizerSpec Gaussian(std::string estimator, Format format, Scheme scheme) {
  return {.estimator = std::move(estimator),
          .format = format,
          .scheme = scheme,
          .block = 32,
          .grid = GridStatistics::kGaussian};
}

// Where the forward pass saves who is trusted: an estimator's specs, with a number left over at a row's end, in blocks
// that do not fill the vectors of every instruction set and now and then not even a byte.
std::vector<QuantizerSpec> TrustingSpecsOf(const EstimatorTraits& row) {
  std::vector<QuantizerSpec> specs;
  for (int64_t block : {32, 24, 37, 40})
    for (const QuantizerSpec& spec : EverySpec({.estimators = [&](const auto& traits) { return &traits == &row; },
                                     .rotations = {{}, {true, true}},
                                     .sparsities = {{}, {2, 4}},
                                     .block = block}))
      if (PassesTrustedGradient(spec) && ValidateFeatures(spec, 96).ok()) specs.push_back(spec);
  return specs;
}

std::vector<std::string> TrustingEstimators() {
  std::vector<std::string> names;
  for (const EstimatorTraits& traits : EveryEstimator())
    if (traits.backward == BackwardPass::kTrusted) names.emplace_back(traits.name);
  return names;
}

constexpr int64_t kRows = 3, kFeatures = 96;

// Heavy tails: some are beyond every grid.
template <typename T>
std::vector<T> Numbers(unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal(0.1, 1);
  std::vector<T> x(kRows * kFeatures);
  for (T& number : x) {
    const double drawn = normal(engine);
    const auto value = static_cast<float>(drawn * drawn * drawn);
    if constexpr (sizeof(T) == 2) {
      uint32_t bits;
      std::memcpy(&bits, &value, sizeof bits);
      number = {static_cast<uint16_t>(bits >> 16)};
    } else {
      number = static_cast<T>(value);
    }
  }
  return x;
}

template <typename T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// The backward pass from x and that from what the forward pass saved, in place. Returns whether they differ from v.
template <typename T>
bool ExpectTheSameGradient(const QuantizerSpec& spec) {
  const Estimator& estimator = **EstimatorFor(spec);
  const std::vector<T> x = Numbers<T>(1), v = Numbers<T>(2);
  std::vector<T> plain(x.size()), x_hat(x.size()), from_x(x.size()), from_trust = v;
  std::vector<uint8_t> trusted(static_cast<size_t>(kRows * SavedBytes(spec, kFeatures)) + 1, 0xA5);
  estimator.Forward(spec, x.data(), kRows, kFeatures, plain.data());
  estimator.Forward(spec, x.data(), kRows, kFeatures, x_hat.data(), trusted.data());
  EXPECT_TRUE(SameBits(plain, x_hat)) << "saving changes values";
  EXPECT_EQ(trusted.back(), 0xA5) << "written beyond the end";
  estimator.Backward(spec, x.data(), nullptr, v.data(), kRows, kFeatures, from_x.data());
  PassTrusted(spec, trusted.data(), from_trust.data(), kRows, kFeatures, from_trust.data());
  EXPECT_TRUE(SameBits(from_x, from_trust));
  return !SameBits(v, from_trust);
}

class TrustingEstimatorTest : public ::testing::TestWithParam<std::string> {};

TEST_P(TrustingEstimatorTest, WhatTheForwardPassSavesGivesTheGradientThatXGives) {
  size_t clipping = 0;  // Specs that do not trust everything: others test little.
  for (const QuantizerSpec& spec : TrustingSpecsOf(*FindEstimatorTraits(GetParam()))) {
    SCOPED_TRACE(DescribeSpec(spec));
    clipping += ExpectTheSameGradient<float>(spec) ? 1 : 0;
    ExpectTheSameGradient<double>(spec);
    ExpectTheSameGradient<BFloat16>(spec);
  }
  EXPECT_GE(clipping, 7u);
}

INSTANTIATE_TEST_SUITE_P(Estimators, TrustingEstimatorTest, ::testing::ValuesIn(TrustingEstimators()),
                         [](const auto& info) { return info.param; });

TEST(TrustTest, SomeEstimatorsSaveWhoIsTrusted) { EXPECT_GE(TrustingEstimators().size(), 4u); }

TEST(TrustTest, ABlockWithoutAGridPassesItsGradient) {
  const QuantizerSpec spec = Gaussian("quest", Format::kInt4, Scheme::kLinear);
  for (float fill : {0.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> x(64, fill), numbers = Numbers<float>(3), v(numbers.begin(), numbers.begin() + 64);
    std::vector<float> x_hat(64), dx(64);
    std::vector<uint8_t> trusted(static_cast<size_t>(SavedBytes(spec, 64)));
    FindEstimator("quest").value()->Forward(spec, x.data(), 1, 64, x_hat.data(), trusted.data());
    PassTrusted(spec, trusted.data(), v.data(), 1, 64, dx.data());
    EXPECT_EQ(dx, v) << fill;
  }
}

TEST(TrustTest, EachBlockOfARowBeginsWithAByteOfItsOwn) {
  QuantizerSpec spec = Gaussian("quest", Format::kInt4, Scheme::kLinear);
  spec.block = 20;
  EXPECT_EQ(SavedBytes(spec, 40), 6);
  EXPECT_EQ(SavedBytes(spec, 41), 7);
  EXPECT_EQ(SavedBytes(spec, 8), 1);
}

TEST(TrustTest, NothingIsWrittenWhereNothingIsSavedNotEvenOfABlockWithoutAGrid) {
  const std::vector<float> zeros(64);
  std::vector<float> x_hat(64);
  size_t count = 0;
  for (const QuantizerSpec& spec : EverySpec({})) {
    if (spec.learns_scale() || SavedBytes(spec, 64) > 0) continue;
    std::vector<uint8_t> beyond(64, 0xA5);
    FindEstimator(spec.estimator).value()->Forward(spec, zeros.data(), 1, 64, x_hat.data(), beyond.data());
    EXPECT_EQ(beyond, std::vector<uint8_t>(64, 0xA5)) << DescribeSpec(spec);
    ++count;
  }
  EXPECT_GE(count, 80u);
}

// What moves pruned numbers, or the regression's target, has to see x.
TEST(TrustTest, OnlyGradientsWithoutXAreSaved) {
  QuantizerSpec spec = Gaussian("ridge_trust", Format::kInt4, Scheme::kLinear);
  EXPECT_TRUE(PassesTrustedGradient(spec));
  spec.fit_gradient = FitGradient::kGraph;
  EXPECT_FALSE(PassesTrustedGradient(spec));
  spec = Gaussian("quest", Format::kInt4, Scheme::kLinear);
  spec.sparsity = {2, 4};
  spec.mask_decay = 1e-4;
  EXPECT_FALSE(PassesTrustedGradient(spec));
  EXPECT_FALSE(PassesTrustedGradient({.estimator = "ste", .format = Format::kInt4}));
  EXPECT_FALSE(PassesTrustedGradient({.sparsity = {2, 4}}));
}

}  // namespace
}  // namespace ridgeline
