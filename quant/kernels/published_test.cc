// SPDX-License-Identifier: Apache-2.0
// What holds for every estimator and format beside the shared grids of estimator_test.cc: finite numbers from finite
// ones, NaN where it came from, float as double; and the adapter's gradient against differences.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "method/every_spec.h"
#include "method/resolved_spec.h"
#include "quant/kernels/estimator.h"

namespace ridgeline {
namespace {

constexpr double kFloatTolerance = 2e-4;  // Relative to the largest number.

// Every format with every estimator that has it.
std::vector<QuantizerSpec> EveryBlock() {
  return EverySpec({.estimators = [](const EstimatorTraits& traits) { return !traits.learns_scale(); }, .block = 32});
}

template <typename T>
std::vector<T> Forward(const QuantizerSpec& spec, const std::vector<T>& x) {
  std::vector<T> x_hat(x.size());
  FindEstimator(spec.estimator).value()->Forward(spec, x.data(), 1, static_cast<int64_t>(x.size()), x_hat.data());
  return x_hat;
}

template <typename T>
std::vector<T> Backward(const QuantizerSpec& spec, const std::vector<T>& x, const std::vector<T>& v) {
  std::vector<T> x_hat(x.size()), dx(x.size());
  const auto features = static_cast<int64_t>(x.size());
  std::vector<uint8_t> saved(static_cast<size_t>(SavedBytes(spec, features, sizeof(T))));
  const Estimator& estimator = **FindEstimator(spec.estimator);
  estimator.Forward(spec, x.data(), 1, features, x_hat.data(), saved.data());
  estimator.Backward(spec, x.data(), saved.data(), v.data(), 1, features, dx.data());
  return dx;
}

std::vector<double> RandomVector(size_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal(0.3, 1);
  std::vector<double> x(n);
  for (double& value : x) value = normal(engine);
  return x;
}

TEST(EverySpecTest, CoversEveryFormatWithEveryEstimatorThatHasIt) { EXPECT_GT(EveryBlock().size(), 300u); }

TEST(EverySpecTest, DegenerateBlocksGiveFiniteNumbers) {
  const std::vector<std::vector<float>> blocks = {std::vector<float>(16, 0.0f),
                                                  std::vector<float>(16, 3.5f),
                                                  {1.0f},
                                                  std::vector<float>(16, 1e-40f),
                                                  {0, 0, 0, 1e30f},
                                                  {-1e30f, 1e30f},
                                                  {0, 0, 0, 1e-20f},
                                                  {0, 0, -1e-38f}};
  for (QuantizerSpec spec : EveryBlock())
    for (bool hard : {false, true})
      for (const std::vector<float>& x : blocks) {
        spec.hard_rounding = hard;
        const std::vector<float> v(x.size(), 1.0f);
        for (float value : Forward(spec, x))
          EXPECT_TRUE(std::isfinite(value)) << DescribeSpec(spec) << " of " << x.back();
        for (float value : Backward(spec, x, v))
          EXPECT_TRUE(std::isfinite(value)) << DescribeSpec(spec) << " of " << x.back();
      }
}

// Of Gaussian numbers, of such with many ties, and of such whose density is nothing like it.
std::vector<std::vector<float>> RowsForMedians() {
  std::vector<std::vector<float>> rows;
  for (unsigned n = 1; n <= 200; ++n) {
    const std::vector<double> numbers = RandomVector(n, n);
    std::vector<float> gaussian, tied, heavy;
    for (double number : numbers) {
      gaussian.push_back(static_cast<float>(number));
      tied.push_back(static_cast<float>(std::round(2 * number)));
      heavy.push_back(static_cast<float>(std::exp(9 * number)));
    }
    rows.insert(rows.end(), {gaussian, tied, heavy});
  }
  rows.push_back({1e30f, 1e-30f, 3e38f, 3e38f, 3e38f});  // Whose mean is infinite.
  return rows;
}

TEST(BitnetReloadedTest, ItsScaleIsTheLowerMedianOfTheSizes) {
  const QuantizerSpec spec{
      .estimator = "bitnet_reloaded", .format = Format::kTernary, .scheme = Scheme::kLinear, .block = 256};
  for (const std::vector<float>& x : RowsForMedians()) {
    std::vector<float> sizes;
    for (float number : x) sizes.push_back(std::abs(number));
    std::sort(sizes.begin(), sizes.end());
    const float median = std::max(sizes[(sizes.size() - 1) / 2], 1e-5f);
    float scale = 0;  // Any number of at least the median has the code +-1.
    for (float value : Forward(spec, x)) {
      ASSERT_TRUE(std::isfinite(value));
      scale = std::max(scale, std::abs(value));
    }
    EXPECT_EQ(scale, sizes.back() >= median ? median : 0.0f) << x.size() << " numbers, the first is " << x[0];
  }
}

TEST(EverySpecTest, ANanMakesItsBlockNanAndLeavesTheOthersAlone) {
  for (const QuantizerSpec& spec : EveryBlock()) {
    const size_t block = static_cast<size_t>(spec.block);
    std::vector<double> random = RandomVector(2 * block, 1);
    std::vector<float> x(random.begin(), random.end());
    x[3] = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> x_hat = Forward(spec, x);
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_EQ(std::isnan(x_hat[i]), i < block) << DescribeSpec(spec) << " at " << i;
  }
}

// Noise follows from bits, which float and double do not share: rounding does.
TEST(EverySpecTest, FloatAgreesWithDouble) {
  for (QuantizerSpec spec : EveryBlock()) {
    // Its largest number is a tie that the last bit decides.
    if (spec.estimator == "torchao" && spec.scheme == Scheme::kLinear) continue;
    spec.hard_rounding = true;
    std::vector<double> x = RandomVector(96, 2);
    const std::vector<float> narrow(x.begin(), x.end());
    x.assign(narrow.begin(), narrow.end());
    const std::vector<double> x_hat = Forward(spec, x);
    const std::vector<float> in_float = Forward(spec, narrow);
    for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(in_float[i], x_hat[i], 4 * kFloatTolerance) << DescribeSpec(spec);
  }
}

TEST(BiAdapterTest, BackwardIsTheDerivativeWithTheNoiseHeldStill) {
  const QuantizerSpec spec{.estimator = "bi_adapter", .format = Format::kInt1, .grid_gradient = GridGradient::kGraph};
  for (double unit : {1.0, 1e-4}) {  // At the second the guard of 1e-5 counts.
    std::vector<double> x = RandomVector(40, 3), v = RandomVector(40, 4), delta(40);
    for (double& value : x) value *= unit;
    struct Spread {
      double mean = 0, deviation = 0;
    };
    auto spread_of = [](const std::vector<double>& numbers) {
      Spread spread;
      for (double value : numbers) spread.mean += value / static_cast<double>(numbers.size());
      for (double value : numbers) spread.deviation += std::pow(value - spread.mean, 2);
      spread.deviation = std::sqrt(spread.deviation / static_cast<double>(numbers.size() - 1));
      return spread;
    };
    const Spread at = spread_of(x);
    for (size_t i = 0; i < x.size(); ++i)
      delta[i] = (x[i] < at.mean ? -0.6744897501960817 : 0.6744897501960817) - (x[i] - at.mean) / (at.deviation + 1e-5);
    auto loss = [&](const std::vector<double>& moved) {
      const Spread spread = spread_of(moved);
      double sum = 0;
      for (size_t i = 0; i < moved.size(); ++i)
        sum +=
            v[i] * (((moved[i] - spread.mean) / (spread.deviation + 1e-5) + delta[i]) * spread.deviation + spread.mean);
      return sum;
    };
    const std::vector<double> dx = Backward(spec, x, v);
    for (size_t i = 0; i < x.size(); ++i) {
      std::vector<double> up = x, down = x;
      up[i] += 1e-6 * unit;
      down[i] -= 1e-6 * unit;
      EXPECT_NEAR(dx[i], (loss(up) - loss(down)) / (2e-6 * unit), 1e-6);
    }
  }
}

}  // namespace
}  // namespace ridgeline
