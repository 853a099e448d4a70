// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/noise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

namespace ridgeline {
namespace {

constexpr int64_t kBlock = 128, kBlocks = 2048;
constexpr double kNumbers = static_cast<double>(kBlock * kBlocks);

// Blocks that differ in one number only.
std::vector<float> Drawn(void (*draw)(const float*, int64_t, float*)) {
  std::vector<float> x(kBlock), noise(static_cast<size_t>(kBlock * kBlocks));
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  for (int64_t block = 0; block < kBlocks; ++block) {
    x[17] = std::nextafter(x[17], 10.0f);
    draw(x.data(), kBlock, noise.data() + block * kBlock);
  }
  return noise;
}

double Mean(const std::vector<float>& x, int power) {
  double sum = 0;
  for (float value : x) sum += std::pow(static_cast<double>(value), power);
  return sum / static_cast<double>(x.size());
}

// docs/methods.md#gaussws-diffq: probabilities 0.6827, 0.3146 and 0.0027, variance 0.325.
TEST(NoiseTest, GaussianSamplingIsARoundedHalfNormal) {
  std::map<float, double> share;
  const std::vector<float> noise = Drawn(GaussianSamplingNoise);
  for (float value : noise) share[value] += 1 / kNumbers;
  EXPECT_NEAR(share[0], 0.6827, 0.004);
  EXPECT_NEAR(share[1], 0.1573, 0.003);
  EXPECT_NEAR(share[-1], 0.1573, 0.003);
  EXPECT_NEAR(share[2] + share[-2], 0.0027, 0.0005);
  EXPECT_NEAR(Mean(noise, 2), 0.325, 0.005);
}

TEST(NoiseTest, DiffqIsAHalfNormal) {
  const std::vector<float> noise = Drawn(DiffqNoise);
  EXPECT_NEAR(Mean(noise, 1), 0, 0.005);
  EXPECT_NEAR(Mean(noise, 2), 0.25, 0.004);
  EXPECT_NEAR(Mean(noise, 4), 3 * 0.0625, 0.01);
}

TEST(NoiseTest, TheSameNumbersDrawTheSameNoise) {
  std::vector<double> x(kBlock, 0.25), first(kBlock), second(kBlock);
  DiffqNoise(x.data(), kBlock, first.data());
  DiffqNoise(x.data(), kBlock, second.data());
  EXPECT_EQ(first, second);
}

double Correlation(const std::vector<float>& noise, size_t apart) {
  double sum = 0;
  for (size_t i = 0; i + apart < noise.size(); ++i) sum += static_cast<double>(noise[i]) * noise[i + apart];
  return sum / Mean(noise, 2) / kNumbers;
}

// A place before and after the smallest step of one number of its block, and places of a block from each other.
TEST(NoiseTest, PlacesAndStepsAreIndependent) {
  using Draw = void (*)(const float*, int64_t, float*);
  for (Draw draw : {Draw{GaussianSamplingNoise}, Draw{DiffqNoise}}) {
    const std::vector<float> noise = Drawn(draw);
    for (size_t apart : {1, 2, 3, 4, 8, 16, 32, 64, 128, 256})
      EXPECT_NEAR(Correlation(noise, apart), 0, 5 / std::sqrt(kNumbers)) << apart;
  }
}

// Numbers 32 apart come of the same two draws.
TEST(NoiseTest, TheSizesOfNormalsThatComeInPairsAreIndependent) {
  const std::vector<float> noise = Drawn(DiffqNoise);
  double sum = 0;
  for (size_t i = 0; i + 32 < noise.size(); ++i)
    sum +=
        (std::pow(static_cast<double>(noise[i]), 2) - 0.25) * (std::pow(static_cast<double>(noise[i + 32]), 2) - 0.25);
  EXPECT_NEAR(sum / kNumbers, 0, 5 * 0.125 / std::sqrt(kNumbers));
}

}  // namespace
}  // namespace ridgeline
