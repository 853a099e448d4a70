// SPDX-License-Identifier: Apache-2.0
// Golden checks of the Gaussian grid: docs/methods.md#grids in figures, and optimality of each format's extent.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "quant/kernels/estimator.h"

namespace ridgeline {
namespace {

// N(0, 1) as the midpoints of this many equally likely intervals, scaled to variance 1.
constexpr int kQuantiles = 1 << 17;
// Relative; what the missing tail beyond the outermost midpoint leaves.
constexpr double kQuantileTolerance = 1e-3;

double NormalQuantile(double p) {
  double x = 0;
  for (double step = 8; step > 1e-12; step /= 2) x += std::erfc(-x / std::sqrt(2.0)) / 2 < p ? step : -step;
  return x;
}

const std::vector<double>& StandardNormal() {
  static const std::vector<double> numbers = [] {
    std::vector<double> x(kQuantiles);
    double squares = 0;
    for (int i = 0; i < kQuantiles; ++i) {
      x[static_cast<size_t>(i)] = NormalQuantile((i + 0.5) / kQuantiles);
      squares += x[static_cast<size_t>(i)] * x[static_cast<size_t>(i)];
    }
    for (double& value : x) value /= std::sqrt(squares / kQuantiles);
    return x;
  }();
  return numbers;
}

QuantizerSpec GaussianSpec(const std::string& estimator, Scheme scheme, Format format, double lambda = 0) {
  return {.estimator = estimator,
          .format = format,
          .scheme = scheme,
          .block = kQuantiles,
          .lambda = lambda,
          .grid = GridStatistics::kGaussian};
}

std::vector<double> Quantized(const QuantizerSpec& spec) {
  std::vector<double> x_hat(kQuantiles);
  FindEstimator(spec.estimator).value()->Forward(spec, StandardNormal().data(), 1, kQuantiles, x_hat.data());
  return x_hat;
}

double MeanSquareError(const QuantizerSpec& spec) {
  std::vector<double> x_hat = Quantized(spec);
  double sum = 0;
  for (size_t i = 0; i < x_hat.size(); ++i) sum += std::pow(x_hat[i] - StandardNormal()[i], 2);
  return sum / kQuantiles;
}

TEST(GaussianGridTest, LosesWhatThePaperSays) {
  for (auto [format, error] : {std::pair{Format::kInt1, 0.36338},
                               {Format::kTernary, 0.19017},
                               {Format::kInt2, 0.11885},
                               {Format::kInt3, 0.03744},
                               {Format::kInt4, 0.01154},
                               {Format::kFp4, 0.012685}}) {
    QuantizerSpec spec = GaussianSpec("quest", Scheme::kLinear, format);
    EXPECT_NEAR(MeanSquareError(spec) / error, 1, kQuantileTolerance) << FormatName(format);
  }
}

TEST(GaussianGridTest, AffineAndLinearAgreeOnCentredNumbers) {
  for (Format format : {Format::kInt1, Format::kInt2, Format::kInt3, Format::kInt4, Format::kInt8}) {
    double linear = MeanSquareError(GaussianSpec("ste", Scheme::kLinear, format));
    EXPECT_NEAR(MeanSquareError(GaussianSpec("ste", Scheme::kAffine, format)) / linear, 1, 1e-6) << FormatName(format);
  }
}

// The moments of a block are sums about its last number, unless that lies too far out for them.
TEST(GaussianGridTest, ALastNumberFarFromTheOthersLeavesTheGridOfDoubles) {
  constexpr double kFloatGridTolerance = 1e-4;
  std::vector<double> x = StandardNormal();
  for (double last : {0.0, 30.0, 1e4}) {
    x.back() = last;
    const std::vector<float> x_float(x.begin(), x.end());
    std::vector<float> x_hat_float(x.size());
    std::vector<double> x_hat(x.size());
    const QuantizerSpec spec = GaussianSpec("ste", Scheme::kAffine, Format::kInt1);
    FindEstimator(spec.estimator).value()->Forward(spec, x.data(), 1, kQuantiles, x_hat.data());
    FindEstimator(spec.estimator).value()->Forward(spec, x_float.data(), 1, kQuantiles, x_hat_float.data());
    EXPECT_NEAR(x_hat_float.back() / x_hat.back(), 1, kFloatGridTolerance) << last;
    EXPECT_NEAR(x_hat_float.front() / x_hat.front(), 1, kFloatGridTolerance) << last;
  }
}

// Where the extent is optimal, no regression improves on the grid's own scale: <x, x_hat> = <x_hat, x_hat>.
TEST(GaussianGridTest, NoFormatsExtentCanBeImproved) {
  for (Format format : {Format::kInt1, Format::kTernary, Format::kInt2, Format::kInt3, Format::kInt4, Format::kInt5,
                        Format::kInt6, Format::kInt7, Format::kInt8, Format::kFp4, Format::kFp6E2M3, Format::kFp6E3M2,
                        Format::kFp8E4M3, Format::kFp8E5M2}) {
    std::vector<double> x_hat = Quantized(GaussianSpec("quest", Scheme::kLinear, format));
    double cross = 0, own = 0;
    for (size_t i = 0; i < x_hat.size(); ++i) {
      cross += x_hat[i] * StandardNormal()[i];
      own += x_hat[i] * x_hat[i];
    }
    EXPECT_NEAR(cross / own, 1, 1e-4) << FormatName(format);
  }
}

TEST(GaussianGridTest, OneBitTrustsSevenTenthsAndFourBitsNearlyAll) {
  std::vector<double> v(kQuantiles, 1), dx(kQuantiles);
  for (auto [format, share] : {std::pair{Format::kInt1, std::erf(1.30 * 0.7978845608 / std::sqrt(2.0))},
                               {Format::kInt4, std::erf(2.5139306 * 16 / 15 / std::sqrt(2.0))}}) {
    QuantizerSpec spec = GaussianSpec("quest", Scheme::kLinear, format);
    FindEstimator("quest").value()->Backward(spec, StandardNormal().data(), nullptr, v.data(), 1, kQuantiles,
                                             dx.data());
    double trusted = 0;
    for (double value : dx) trusted += value;
    EXPECT_NEAR(trusted / kQuantiles, share, 1e-4) << FormatName(format);
  }
}

// Lambda stands beside Var q of the codes 0 .. 2^b - 1, which is 1/4 at one bit, or of the codes -1 and +1, where it
// is 1: the shrinkage says which labelling it is.
TEST(GaussianGridTest, LambdaShrinksCodesLabelledFromZero) {
  double plain = Quantized(GaussianSpec("ridge_trust", Scheme::kAffine, Format::kInt1)).back();
  double shrunk = Quantized(GaussianSpec("ridge_trust", Scheme::kAffine, Format::kInt1, 0.01)).back();
  EXPECT_NEAR(shrunk / plain, 0.25 / 0.26, 1e-9);
  double signs = Quantized(GaussianSpec("ridge_trust", Scheme::kLinear, Format::kInt1)).back();
  double shrunk_signs = Quantized(GaussianSpec("ridge_trust", Scheme::kLinear, Format::kInt1, 0.01)).back();
  EXPECT_NEAR(shrunk_signs / signs, 1 / 1.01, 1e-9);
}

}  // namespace
}  // namespace ridgeline
