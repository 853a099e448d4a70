// SPDX-License-Identifier: Apache-2.0
#include "model/ops/composed/block_sums.h"

#include <cmath>

#include "model/ops/composed/exact_math.h"
#include "quant/autograd/torch_pch.h"
#include "quant/kernels/sum_order.h"

namespace ridgeline {
namespace {

constexpr double kSmallestScale = 1e-30f, kLargestScale = 1e30f;

at::Tensor AddedHalves(const at::Tensor& x) {
  const int64_t half = x.size(1) / 2;
  return x.narrow(1, 0, half) + x.narrow(1, half, half);
}

at::Tensor AddedToWidth(at::Tensor x, int64_t width) {
  while (x.size(1) > width) x = AddedHalves(x);
  return x;
}

// A sum alone: vectors are halved. Several together are first added up within each four lanes.
at::Tensor AddedLanes(const at::Tensor& x, SumsAtOnce at_once) {
  if (at_once == SumsAtOnce::kOne) return AddedToWidth(x, 1);
  const int64_t blocks = x.size(0), fours = x.size(1) / 4;
  return AddedToWidth(AddedToWidth(x.reshape({blocks * fours, 4}), 1).view({blocks, fours}), 1);
}

// added(sum, i, count): what `count` neighbouring sums become by numbers i and on.
template <typename Added>
at::Tensor SummedInOrder(const at::Tensor& x, SumsAtOnce at_once, const Added& added) {
  const int64_t blocks = x.size(0), n = x.size(1), lanes = LanesOfSums();
  TORCH_CHECK(lanes > 0, "this machine's kernels add in an order that is not known here");
  const int64_t chains = at_once == SumsAtOnce::kFour ? 2 : 4;
  int64_t i = 0;
  at::Tensor sums = at::zeros({blocks, chains * lanes}, x.options());
  for (; i + chains * lanes <= n; i += chains * lanes) sums = added(sums, i, chains * lanes);
  at::Tensor sum = sums.narrow(1, 0, lanes);
  for (; i + lanes <= n; i += lanes) sum = added(sum, i, lanes);
  for (int64_t chain = 1; chain < chains; ++chain) sum = sum + sums.narrow(1, chain * lanes, lanes);
  const at::Tensor total = AddedLanes(sum, at_once);
  at::Tensor rest = at::zeros({blocks, 1}, x.options());
  for (; i < n; ++i) rest = added(rest, i, 1);
  return total + rest;
}

// The sum of ((x - mean) unit)^2.
at::Tensor SumOfSquares(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& unit) {
  const at::Tensor scaled = (x - mean) * unit;
  return SumOfProducts(scaled, scaled, SumsAtOnce::kOne);
}

struct MeanAndSquares {
  at::Tensor mean, squares;  // The sum of (x - mean)^2.
};

MeanAndSquares InTwoPasses(bool centred, const at::Tensor& x, int64_t count) {
  const at::Tensor zero = at::zeros({x.size(0), 1}, x.options());
  const at::Tensor mean = centred ? Divided(SumOfTerms(x, SumsAtOnce::kOne), static_cast<double>(count)) : zero;
  return {mean, SumOfSquares(x, mean, at::ones_like(mean))};
}

// By sums about the last number, or in two passes where rounding would leave little of their difference.
MeanAndSquares AboutTheMean(const at::Tensor& x, int64_t count) {
  constexpr double kLeastLeft = 1.0 / 16;
  const int64_t n = x.size(1);
  const at::Tensor pivot = x.narrow(1, n - 1, 1), moved = x - pivot;
  const at::Tensor sum = SumOfTerms(moved, SumsAtOnce::kTwo), squares = SumOfProducts(moved, moved, SumsAtOnce::kTwo);
  const at::Tensor mean_moved = Divided(sum, static_cast<double>(n));
  const MeanAndSquares one{pivot + mean_moved, FusedMultiplyAdd(-mean_moved, sum, squares)};
  const MeanAndSquares two = InTwoPasses(/*centred=*/true, x, count);
  const at::Tensor is_one = one.squares.gt(squares * kLeastLeft).bitwise_and(squares.lt(kLargestScale));
  return {Select(is_one, one.mean, two.mean), Select(is_one, one.squares, two.squares)};
}

}  // namespace

at::Tensor SumOfTerms(const at::Tensor& x, SumsAtOnce at_once) {
  return SummedInOrder(x, at_once,
                       [&](const at::Tensor& sum, int64_t i, int64_t count) { return sum + x.narrow(1, i, count); });
}

at::Tensor SumOfProducts(const at::Tensor& a, const at::Tensor& b, SumsAtOnce at_once) {
  return SummedInOrder(a, at_once, [&](const at::Tensor& sum, int64_t i, int64_t count) {
    return FusedMultiplyAdd(a.narrow(1, i, count), b.narrow(1, i, count), sum);
  });
}

at::Tensor IsOrdinary(const at::Tensor& scale) { return scale.gt(kSmallestScale).bitwise_and(scale.lt(kLargestScale)); }

at::Tensor InverseOrZero(const at::Tensor& scale) {
  return (at::ones_like(scale) / scale).masked_fill(IsOrdinary(scale).bitwise_not(), 0);
}

BlockMoments MomentsAbout(bool centred, const at::Tensor& x, int64_t count) {
  const auto [mean, squares] = centred ? AboutTheMean(x, count) : InTwoPasses(false, x, count);
  const at::Tensor rms = (squares * (1.0f / static_cast<float>(count))).sqrt();
  // Squares that leave the range of float32 are measured in units of the largest number.
  const at::Tensor largest = SizesOf(x - mean).amax({1}, /*keepdim=*/true);
  const at::Tensor in_units = SumOfSquares(x, mean, InverseOrZero(largest));
  const at::Tensor rms_in_units = Divided(in_units, static_cast<double>(count)).sqrt() * largest;
  return {mean, Select(IsOrdinary(squares), rms, rms_in_units)};
}

// H keeps the sum of squares, and leaves sqrt(n) times the mean in the first number.
BlockMoments MomentsOfRotated(bool centred, const at::Tensor& unrotated, const at::Tensor& x) {
  const int64_t n = x.size(1);
  const at::Tensor first = unrotated.narrow(1, 0, 1);
  const at::Tensor others = centred ? at::cat({at::zeros_like(first), unrotated.narrow(1, 1, n - 1)}, 1) : unrotated;
  const at::Tensor squares = SumOfProducts(others, others, SumsAtOnce::kOne);
  const float inverse = 1.0f / static_cast<float>(n);
  const at::Tensor mean = centred ? first * std::sqrt(inverse) : at::zeros_like(first);
  const at::Tensor holds = IsOrdinary(squares).bitwise_and(SizesOf(mean).lt(kLargestScale));
  const BlockMoments otherwise = MomentsAbout(centred, x, n);
  return {Select(holds, mean, otherwise.mean), Select(holds, (squares * inverse).sqrt(), otherwise.rms)};
}

}  // namespace ridgeline
