// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/hadamard.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace ridgeline {
namespace {

constexpr double kDoubleTolerance = 1e-13;
constexpr float kFloatTolerance = 2e-6f;

// The plain twin: the definition, in loops.
std::vector<double> Hadamard_ref(const std::vector<double>& x) {
  std::vector<double> y(x.size(), 0);
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j < x.size(); ++j)
      y[i] += (__builtin_popcountll(i & j) % 2 == 1 ? -x[j] : x[j]) / std::sqrt(static_cast<double>(x.size()));
  return y;
}

template <typename T>
std::vector<T> RandomVector(size_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<T> x(n);
  for (T& value : x) value = static_cast<T>(normal(engine));
  return x;
}

template <typename T>
std::vector<T> Transformed(const std::vector<T>& x) {
  std::vector<T> y(x.size());
  Hadamard(x.data(), static_cast<int64_t>(x.size()), y.data());
  return y;
}

double Product(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

class HadamardTest : public ::testing::TestWithParam<size_t> {};

TEST_P(HadamardTest, IsItsDefinition) {
  std::vector<double> x = RandomVector<double>(GetParam(), 1), y = Transformed(x), expected = Hadamard_ref(x);
  std::vector<float> y_float = Transformed(std::vector<float>(x.begin(), x.end()));
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(y[i], expected[i], kDoubleTolerance * static_cast<double>(x.size()));
    EXPECT_NEAR(y_float[i], expected[i], kFloatTolerance * 4);
  }
}

TEST_P(HadamardTest, IsItsOwnInverse) {
  std::vector<double> x = RandomVector<double>(GetParam(), 2), back = Transformed(Transformed(x));
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(back[i], x[i], kDoubleTolerance);
}

TEST_P(HadamardTest, WorksInPlace) {
  std::vector<double> x = RandomVector<double>(GetParam(), 5), expected = Transformed(x);
  Hadamard(x.data(), static_cast<int64_t>(x.size()), x.data());
  EXPECT_EQ(x, expected);
}

TEST_P(HadamardTest, KeepsLengthsAndProducts) {
  std::vector<double> x = RandomVector<double>(GetParam(), 3), w = RandomVector<double>(GetParam(), 4);
  EXPECT_NEAR(Product(Transformed(x), Transformed(x)), Product(x, x), kDoubleTolerance * Product(x, x));
  EXPECT_NEAR(Product(Transformed(x), Transformed(w)), Product(x, w), kDoubleTolerance * Product(x, x));
}

TEST_P(HadamardTest, SpreadsASingleNumberEvenly) {
  std::vector<double> x(GetParam(), 0);
  x.back() = 8;
  for (double value : Transformed(x))
    EXPECT_NEAR(std::abs(value), 8 / std::sqrt(static_cast<double>(x.size())), kDoubleTolerance);
}

INSTANTIATE_TEST_SUITE_P(Lengths, HadamardTest, ::testing::Values(1, 2, 4, 8, 16, 32, 64, 128, 256, 512));

}  // namespace
}  // namespace ridgeline
