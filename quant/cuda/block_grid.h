// SPDX-License-Identifier: Apache-2.0
// The grid of a block, its codes, and which of them are trusted: quant/kernels/grid-inl.h and float_grid-inl.h for
// lanes.
#pragma once

#include "quant/cuda/block.h"

namespace ridgeline::cuda {

// f(x) = (x - offset) * inverse_scale; the code is the level nearest to f. What a block's grid has beside
// params.levels.
struct BlockGrid {
  float scale = 0;
  float inverse_scale = 0;  // 0 for a block without a grid.
  float offset = 0;         // 0 in the linear scheme.
  float extra = 0;          // BitMoD's own level of this block; 0 for none.
};

// As the CPU's kernels round it, so that the codes of one grid are theirs.
RIDGELINE_HOST_DEVICE float GridValue(const BlockGrid& grid, float x) {
  return MulAdd(x, grid.inverse_scale, -grid.offset * grid.inverse_scale);
}

RIDGELINE_HOST_DEVICE float NearestElement(const CodeLevels& levels, float extra, float f) {
  const float magnitude = RoundToLevel(levels.elements, Min(Abs(f), levels.highest));
  const float q = f < 0.0f ? -magnitude : magnitude;
  return extra != 0.0f && Abs(f - extra) < Abs(f - q) ? extra : q;
}

// The level nearest to f.
RIDGELINE_HOST_DEVICE float Code(const CodeLevels& levels, const BlockGrid& grid, float f) {
  if (levels.elements.magnet != 0.0f) return NearestElement(levels, grid.extra, f);
  if (levels.is_sign) return f < 0.0f ? -1.0f : 1.0f;
  return Min(Max(::rintf(f - levels.shift) + levels.shift, levels.lowest), levels.highest);
}

// Codes of a block; 0 where pruned.
template <class Lanes>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers Codes(const BlockParams& params, const BlockGrid& grid,
                                                    const Block<Lanes>& block) {
  return NumbersOf<Lanes>(
      [&](int slot) { return block.kept[slot] ? Code(params.levels, grid, GridValue(grid, block.x[slot])) : 0.0f; });
}

// The mean, and the RMS about it.
struct Moments {
  float mean;
  float rms;
};

template <class Lanes>
RIDGELINE_HOST_DEVICE float SumOfSquares(const Lanes& lanes, const Block<Lanes>& block, float mean, float unit) {
  return Sum(lanes, [&](float sum, int slot) {
    const float scaled = (block.Kept(slot) - mean) * unit;
    return MulAdd(scaled, scaled, sum);
  });
}

// About zero in the linear scheme.
template <class Lanes>
RIDGELINE_HOST_DEVICE Moments MomentsOf(const BlockParams& params, const Lanes& lanes, const Block<Lanes>& block) {
  float mean = 0;
  if (params.is_affine)
    mean = Sum(lanes, [&](float sum, int slot) { return sum + block.Kept(slot); }) / block.kept_count;
  const float sum = SumOfSquares(lanes, block, mean, 1.0f);
  if (sum > kSmallestScale && sum < kLargestScale) return {mean, ::sqrtf(sum / block.kept_count)};
  // Squares leave the range of float: measure in units of the largest number.
  const float largest = Largest(lanes, 0.0f, [&](int slot) { return Abs(block.Kept(slot) - mean); });
  const float scaled = SumOfSquares(lanes, block, mean, InverseOrZero(largest));
  return {mean, ::sqrtf(scaled / block.kept_count) * largest};
}

template <class Lanes>
RIDGELINE_HOST_DEVICE float LargestMagnitude(const Lanes& lanes, const Block<Lanes>& block) {
  return Largest(lanes, 0.0f, [&](int slot) { return Abs(block.Kept(slot)); });
}

template <class Lanes>
RIDGELINE_HOST_DEVICE float MeanMagnitude(const Lanes& lanes, const Block<Lanes>& block) {
  return Sum(lanes, [&](float sum, int slot) { return sum + Abs(block.Kept(slot)); }) / block.kept_count;
}

// A scale as its format stores it.
RIDGELINE_HOST_DEVICE float EncodedScale(const StoredScale& stored, float ideal) {
  if (!(ideal > 0.0f)) return 0.0f;
  if (stored.is_power_of_two) return PowerOfTwoAtLeast(ideal);
  if (stored.e4m3.magnet == 0.0f) return ideal;
  const float smallest_share = 0.015625f;  // 2^-6, the smallest normal E4M3.
  const float share = Max(Min(ideal / stored.tensor_scale, stored.largest_share), smallest_share);
  return RoundToLevel(stored.e4m3, share) * stored.tensor_scale;
}

RIDGELINE_HOST_DEVICE BlockGrid GridOfScale(float scale, float offset = 0, float extra = 0) {
  return {scale, InverseOrZero(scale), offset, extra};
}

template <class Lanes>
RIDGELINE_HOST_DEVICE float SquaredError(const BlockParams& params, const Lanes& lanes, const Block<Lanes>& block,
                                         const BlockGrid& grid) {
  return Sum(lanes, [&](float sum, int slot) {
    const float f = block.Kept(slot) * grid.inverse_scale;
    const float error = (Code(params.levels, grid, f) - f) * grid.scale;
    return MulAdd(error, error, sum);
  });
}

// The candidate that loses least; the outermost of its levels, on whichever side, is at max |x|.
template <class Lanes>
RIDGELINE_HOST_DEVICE BlockGrid BitModGrid(const BlockParams& params, const Lanes& lanes, const Block<Lanes>& block) {
  const float extent = LargestMagnitude(lanes, block);
  BlockGrid best;
  float least = 0;
  for (int candidate = 0; candidate < 4; ++candidate) {
    const float size = candidate < 2 ? params.levels.bitmod_nearer : params.levels.bitmod_farther;
    const BlockGrid grid =
        GridOfScale(extent / Max(size, params.levels.highest), 0.0f, candidate % 2 == 0 ? size : -size);
    const float error = SquaredError(params, lanes, block, grid);
    if (candidate > 0 && !(error < least)) continue;
    best = grid;
    least = error;
  }
  return best;
}

// Levels from the smallest number to the largest.
template <class Lanes>
RIDGELINE_HOST_DEVICE BlockGrid MinMaxGrid(const BlockParams& params, const Lanes& lanes, const Block<Lanes>& block) {
  const float smallest = Smallest(lanes, INFINITY, [&](int slot) { return block.Kept(slot); });
  const float largest = Largest(lanes, -INFINITY, [&](int slot) { return block.Kept(slot); });
  return GridOfScale((largest - smallest) / params.levels.highest, smallest);
}

// Least mean square error for Gaussian numbers.
template <class Lanes>
RIDGELINE_HOST_DEVICE BlockGrid GaussianGrid(const BlockParams& params, const Lanes& lanes, const Block<Lanes>& block) {
  const Moments moments = MomentsOf(params, lanes, block);
  const float extent = params.gaussian_extent * moments.rms;
  if (params.is_affine) return GridOfScale(2.0f * extent / params.levels.highest, moments.mean - extent);
  return GridOfScale(extent / params.levels.highest);
}

template <class Lanes>
RIDGELINE_HOST_DEVICE BlockGrid GridByRule(const BlockParams& params, const Lanes& lanes, const Block<Lanes>& block) {
  if (params.rule == GridRule::kGaussian) return GaussianGrid(params, lanes, block);
  if (params.rule == GridRule::kMinMax) return MinMaxGrid(params, lanes, block);
  if (params.rule == GridRule::kMeanAbs) return GridOfScale(MeanMagnitude(lanes, block));
  if (params.levels.bitmod_nearer != 0.0f) return BitModGrid(params, lanes, block);
  return GridOfScale(EncodedScale(params.stored_scale, LargestMagnitude(lanes, block) / params.levels.highest));
}

// The grid of what is kept; inverse_scale is 0, too, where a number is not finite.
template <class Lanes>
RIDGELINE_HOST_DEVICE BlockGrid MakeGrid(const BlockParams& params, const Lanes& lanes, const Block<Lanes>& block) {
  if (!block.is_finite) return {};
  return GridByRule(params, lanes, block);
}

// What levels come to: x_hat = scale level + offset.
struct LevelMap {
  float scale;
  float offset;
};

// The nearest float16, ties to even, of those beyond the largest that, and never -0.
RIDGELINE_HOST_DEVICE float RoundToFloat16(const StoredScale& stored, float x) {
  const float rounded = RoundToLevel(stored.float16, Min(Abs(x), 65504.0f));
  return x < 0.0f && rounded > 0.0f ? -rounded : rounded;
}

// In the precision that the spec says.
RIDGELINE_HOST_DEVICE LevelMap MapOf(const BlockParams& params, float scale, float offset) {
  const StoredScale& stored = params.stored_scale;
  if (stored.float16.magnet == 0.0f) return {scale, offset};
  return {RoundToFloat16(stored, scale * stored.factor) / stored.factor, RoundToFloat16(stored, offset)};
}

// What files have of a block without a grid: its smallest number (affine), or zero (linear).
template <class Lanes>
RIDGELINE_HOST_DEVICE float StoredConstant(const BlockParams& params, const Lanes& lanes, const Block<Lanes>& block) {
  if (!block.is_finite) return Nan();
  if (!params.is_affine) return 0.0f;
  return RoundToFloat16(params.stored_scale, Smallest(lanes, INFINITY, [&](int slot) { return block.Kept(slot); }));
}

// Whether the code at f, the grid value of the dense x, is trusted (docs/methods.md#quest).
RIDGELINE_HOST_DEVICE bool IsTrusted(const TrustedRange& trusted, bool is_kept, float f) {
  return is_kept ? f >= trusted.low && f <= trusted.high : Abs(f) <= trusted.pruned;
}

}  // namespace ridgeline::cuda
