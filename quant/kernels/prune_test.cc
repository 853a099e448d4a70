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

// Few sizes: half of the groups have equals.
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

TEST(PruneTest, NumbersThatAreNotFiniteAreLarger) {
  for (float poison : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()})
    for (size_t at = 0; at < 4; ++at) {
      std::vector<float> x(64, 3e38f);
      x[20 + at] = poison;
      EXPECT_FALSE(std::isfinite(Pruned({1, 4}, x)[20 + at])) << poison << " at " << at;
    }
}

}  // namespace
}  // namespace ridgeline
