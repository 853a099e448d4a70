// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "quant/kernels/estimator.h"

namespace ridgeline {
namespace {

template <typename T>
std::vector<T> Pruned(const SparsityPattern& sparsity, const std::vector<T>& x) {
  std::vector<T> kept(x.size());
  PruningEstimator().Forward({.sparsity = sparsity}, x.data(), 1, static_cast<int64_t>(x.size()), kept.data());
  return kept;
}

// By sorting each group.
template <typename T>
std::vector<T> Pruned_ref(const SparsityPattern& sparsity, const std::vector<T>& x) {
  std::vector<T> kept(x.size(), T(0));
  const auto m = static_cast<size_t>(sparsity.m);
  for (size_t begin = 0; begin < x.size(); begin += m) {
    std::vector<size_t> order(m);
    std::iota(order.begin(), order.end(), begin);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return std::abs(x[a]) > std::abs(x[b]); });
    for (size_t i = 0; i < static_cast<size_t>(sparsity.n); ++i) kept[order[i]] = x[order[i]];
  }
  return kept;
}

// Eight sizes: most groups of four have equals.
template <typename T>
std::vector<T> NumbersOfFewSizes(size_t n) {
  std::mt19937 engine(3);
  std::vector<T> x(n);
  for (T& value : x) value = static_cast<T>(static_cast<int>(engine() % 15) - 7) / T(4);
  x[0] = T(-0.0);
  return x;
}

template <typename T>
void ExpectTheLargestOfEachGroup() {
  for (const SparsityPattern& pattern : {SparsityPattern{1, 2}, {1, 4}, {2, 4}, {3, 4}, {2, 5}, {4, 8}, {1, 16}})
    for (int64_t groups : {1, 3, 64, 65}) {
      const std::vector<T> x = NumbersOfFewSizes<T>(static_cast<size_t>(groups * pattern.m));
      EXPECT_EQ(Pruned(pattern, x), Pruned_ref(pattern, x)) << pattern.n << ":" << pattern.m << ", " << groups;
    }
}

TEST(PruneTest, TheLargestOfEachGroupAreKeptAndOfEqualsTheFirst) {
  ExpectTheLargestOfEachGroup<float>();
  ExpectTheLargestOfEachGroup<double>();
}

TEST(PruneTest, InfinityIsTheLargest) {
  for (size_t at = 0; at < 64; ++at) {
    std::vector<float> x(64, std::numeric_limits<float>::max());
    x[at] = -std::numeric_limits<float>::infinity();
    EXPECT_TRUE(std::isinf(Pruned({1, 4}, x)[at])) << at;
  }
}

template <typename T>
void ExpectNanToStayBesideTheLargest() {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> x(64, T(0));
  x[20] = 1, x[21] = -nan, x[22] = 3, x[23] = 2;
  const std::vector<T> kept = Pruned({2, 4}, x);
  EXPECT_TRUE(std::isnan(kept[21]));
  EXPECT_EQ((std::vector<T>{kept[20], kept[22], kept[23]}), (std::vector<T>{0, 3, 2}));
}

TEST(PruneTest, NanIsAlwaysKeptAndTakesNobodysPlace) {
  ExpectNanToStayBesideTheLargest<float>();
  ExpectNanToStayBesideTheLargest<double>();
}

}  // namespace
}  // namespace ridgeline
