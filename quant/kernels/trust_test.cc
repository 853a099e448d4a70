// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/trust.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "quant/kernels/estimator.h"
#include "quant/spec/definition.h"

namespace ridgeline {
namespace {

struct Case {
  std::string name;
  QuantizerSpec spec;
};

QuantizerSpec Gaussian(std::string estimator, Format format, Scheme scheme) {
  return {.estimator = std::move(estimator),
          .format = format,
          .scheme = scheme,
          .block = 32,
          .grid = GridStatistics::kGaussian};
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (Format format : {Format::kInt1, Format::kInt4, Format::kTernary, Format::kFp4}) {
    const std::string name(FormatName(format));
    cases.push_back({"quest_" + name, Gaussian("quest", format, Scheme::kLinear)});
    cases.push_back({"ridge_trust_" + name, Gaussian("ridge_trust", format, Scheme::kLinear)});
    cases.push_back({"ste_clip_" + name, Gaussian("ste_clip", format, Scheme::kLinear)});
  }
  cases.push_back({"ridge_trust_affine", Gaussian("ridge_trust", Format::kInt2, Scheme::kAffine)});
  for (Case each : std::vector<Case>(cases)) {
    each.name += "_hadamard";
    each.spec.hadamard = each.spec.hadamard_signs = true;
    cases.push_back(each);
  }
  // Its affine grid hardly ever clamps.
  cases.push_back({"torchao_int4", {.estimator = "torchao", .format = Format::kInt4, .scheme = Scheme::kLinear}});
  Case sparse{"quest_int4_2of4", Gaussian("quest", Format::kInt4, Scheme::kLinear)};
  sparse.spec.sparsity = {2, 4};
  cases.push_back(sparse);
  // Neither these blocks nor what is left of the row fill the vectors of every instruction set; two of them fill bytes.
  for (int64_t block : {24, 37, 40}) {
    Case tails{"quest_int2_blocks_of_" + std::to_string(block), Gaussian("quest", Format::kInt2, Scheme::kLinear)};
    tails.spec.block = block;
    cases.push_back(tails);
  }
  return cases;
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

// The backward pass from x and that from what the forward pass saved, in place.
template <typename T>
void ExpectTheSameGradient(const QuantizerSpec& spec) {
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
  EXPECT_FALSE(SameBits(v, from_trust)) << "everything is trusted: this tests nothing";
}

class TrustTest : public ::testing::TestWithParam<Case> {};

TEST_P(TrustTest, WhatTheForwardPassSavesGivesTheGradientThatXGives) {
  const QuantizerSpec& spec = GetParam().spec;
  ASSERT_TRUE(ValidateQuantizerSpec(spec).ok()) << ValidateQuantizerSpec(spec);
  ASSERT_TRUE(PassesTrustedGradient(spec));
  ExpectTheSameGradient<float>(spec);
  ExpectTheSameGradient<double>(spec);
  ExpectTheSameGradient<BFloat16>(spec);
}

INSTANTIATE_TEST_SUITE_P(Estimators, TrustTest, ::testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

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
  for (const char* estimator : {"ste", "bitnet", "gaussws"}) {
    const QuantizerSpec spec{.estimator = estimator, .format = Format::kInt8, .scheme = Scheme::kLinear};
    ASSERT_EQ(SavedBytes(spec, 64), 0) << estimator;
    std::vector<uint8_t> beyond(64, 0xA5);
    FindEstimator(estimator).value()->Forward(spec, zeros.data(), 1, 64, x_hat.data(), beyond.data());
    EXPECT_EQ(beyond, std::vector<uint8_t>(64, 0xA5)) << estimator;
  }
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
