// SPDX-License-Identifier: Apache-2.0
// What each estimator does to a block in registers, forward and backward: one pass from memory to memory, fused with
// pruning, rotation and the conversion of types. docs/methods.md has the definitions.
#pragma once

#include "quant/cuda/block_hadamard.h"
#include "quant/cuda/block_io.h"
#include "quant/cuda/block_ridge.h"
#include "quant/cuda/blocked_matrix.h"

namespace ridgeline::cuda {

RIDGELINE_HOST_DEVICE bool FitsRidge(const BlockParams& params) {
  return params.estimator == BlockEstimator::kRidge || params.estimator == BlockEstimator::kRidgeTrust;
}

// x_hat = scale q + offset.
template <class Lanes>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers DecodeOntoGrid(const BlockParams& params, const BlockGrid& grid,
                                                             const Block<Lanes>& block) {
  const auto q = Codes(params, grid, block);
  const LevelMap map = MapOf(params, grid.scale, grid.offset);
  return NumbersOf<Lanes>([&](int slot) { return MulAdd(q[slot], map.scale, map.offset); });
}

// A block without a grid is reproduced as it is, or is NaN as a whole if a number of it is not finite.
template <class Lanes>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers Dequantized(const BlockParams& params, const Lanes& lanes,
                                                          const Block<Lanes>& block) {
  const bool only_prunes = params.estimator == BlockEstimator::kPrune;
  const BlockGrid grid = only_prunes ? BlockGrid{} : MakeGrid(params, lanes, block);
  if (grid.inverse_scale == 0.0f) {
    if (params.stores_scales) {
      const float constant = StoredConstant(params, lanes, block);
      return NumbersOf<Lanes>([&](int) { return constant; });
    }
    const bool is_nan = !only_prunes && !block.is_finite;
    return NumbersOf<Lanes>([&](int slot) { return is_nan ? Nan() : block.Kept(slot); });
  }
  return FitsRidge(params) ? DecodeRidge(params, lanes, grid, block) : DecodeOntoGrid(params, grid, block);
}

// x_hat = x + scale delta with the grid in the graph: dL/dscale = <v, delta>.
template <class Lanes>
RIDGELINE_HOST_DEVICE GridGradients SteGridGradients(const BlockParams& params, const Lanes& lanes,
                                                     const BlockGrid& grid, const Block<Lanes>& block,
                                                     const typename Lanes::Numbers& v) {
  const auto q = Codes(params, grid, block);
  return {Sum(lanes,
              [&](float sum, int slot) { return MulAdd(v[slot], q[slot] - GridValue(grid, block.Kept(slot)), sum); }),
          0.0f};
}

// v where rounding alone, without a clamp, leads to the code.
template <class Lanes>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers ClippedGradient(const BlockParams& params, const BlockGrid& grid,
                                                              const Block<Lanes>& block,
                                                              const typename Lanes::Numbers& v) {
  const CodeLevels& levels = params.levels;
  const float beyond = levels.is_sign ? 0.0f : levels.half_last_step;
  const float low = Min(levels.lowest, grid.extra) - beyond, high = Max(levels.highest, grid.extra) + beyond;
  return NumbersOf<Lanes>([&](int slot) {
    const float f = GridValue(grid, block.x[slot]);
    return f >= low && f <= high ? v[slot] : 0.0f;
  });
}

// v where the code is trusted: quest, and ridge_trust with its fit held still.
template <class Lanes>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers TrustedGradient(const BlockParams& params, const BlockGrid& grid,
                                                              const Block<Lanes>& block,
                                                              const typename Lanes::Numbers& v) {
  return NumbersOf<Lanes>([&](int slot) {
    return IsTrusted(params.trusted, block.kept[slot], GridValue(grid, block.x[slot])) ? v[slot] : 0.0f;
  });
}

// dL/dx of a block that has a grid, and what its statistics receive where they are in the graph.
template <class Lanes>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers GradientOnGrid(const BlockParams& params, const Lanes& lanes,
                                                             const BlockGrid& grid, const Block<Lanes>& block,
                                                             const typename Lanes::Numbers& v, GridGradients* d_grid) {
  const BlockEstimator estimator = params.estimator;
  if (estimator == BlockEstimator::kSteClip) return ClippedGradient(params, grid, block, v);
  if (FitsRidge(params) && !params.is_fit_detached) return RidgeGradient(params, lanes, grid, block, v, d_grid);
  if (estimator == BlockEstimator::kQuest || estimator == BlockEstimator::kRidgeTrust)
    return TrustedGradient(params, grid, block, v);
  if (params.is_grid_in_graph) *d_grid = SteGridGradients(params, lanes, grid, block, v);
  return v;
}

// dL/dx. That of a block without a grid is v, or NaN if a number of it is not finite.
template <class Lanes>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers Gradient(const BlockParams& params, const Lanes& lanes,
                                                       const Block<Lanes>& block, const typename Lanes::Numbers& v) {
  if (params.estimator == BlockEstimator::kPrune) return v;
  const BlockGrid grid = MakeGrid(params, lanes, block);
  if (grid.inverse_scale == 0.0f) return NumbersOf<Lanes>([&](int slot) { return block.is_finite ? v[slot] : Nan(); });
  GridGradients d_grid{0.0f, 0.0f};
  auto dx = GradientOnGrid(params, lanes, grid, block, v, &d_grid);
  if (params.is_grid_in_graph) AddGridGradient(params, lanes, block, d_grid, &dx);
  return dx;
}

// Numbers from memory, H D x of them where they are to be rotated.
template <class Lanes>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers LoadBlock(const BlockParams& params, const Lanes& lanes,
                                                        const BlockPlace& place, bool rotates, const ConstArray& from) {
  auto numbers = Load(lanes, from, place.begin, place.by_vectors);
  if (!rotates) return numbers;
  if (params.has_signs) FlipSigns(lanes, place.column, &numbers);
  Rotate(lanes, params.rotation_factor, &numbers);
  return numbers;
}

// And back: D H y.
template <class Lanes>
RIDGELINE_HOST_DEVICE void StoreBlock(const BlockParams& params, const Lanes& lanes, const BlockPlace& place,
                                      bool rotates, typename Lanes::Numbers numbers, const MutableArray& to) {
  if (rotates) {
    Rotate(lanes, params.rotation_factor, &numbers);
    if (params.has_signs) FlipSigns(lanes, place.column, &numbers);
  }
  Store(lanes, numbers, place.begin, place.by_vectors, to);
}

// x_hat from x.
template <class Lanes>
RIDGELINE_HOST_DEVICE void ForwardBlock(const BlockParams& params, const Lanes& lanes, const BlockPlace& place,
                                        const ConstArray& x, const MutableArray& x_hat) {
  const Block<Lanes> block = BlockOf(params, lanes, LoadBlock(params, lanes, place, params.hadamard, x));
  StoreBlock(params, lanes, place, params.rotates_values(), Dequantized(params, lanes, block), x_hat);
}

// dx = dL/dx from v = dL/dx_hat; dx may be v. SR-STE: pruned numbers decay.
template <class Lanes>
RIDGELINE_HOST_DEVICE void BackwardBlock(const BlockParams& params, const Lanes& lanes, const BlockPlace& place,
                                         const ConstArray& x, const ConstArray& v, const MutableArray& dx) {
  const Block<Lanes> block = BlockOf(params, lanes, LoadBlock(params, lanes, place, params.hadamard, x));
  auto gradient = Gradient(params, lanes, block, LoadBlock(params, lanes, place, params.rotates_values(), v));
  if (params.mask_decay > 0.0f)
    ForEachSlot<Lanes>([&](int slot) {
      gradient[slot] = MulAdd(params.mask_decay, block.x[slot] - block.Kept(slot), gradient[slot]);
    });
  StoreBlock(params, lanes, place, params.hadamard, gradient, dx);
}

}  // namespace ridgeline::cuda
