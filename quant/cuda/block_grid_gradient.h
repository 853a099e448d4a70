// SPDX-License-Identifier: Apache-2.0
// The gradient through the statistics that set a block's grid, where they stay in the graph: min, max and max |x|
// pass it to the first element that attains them, mean |x|, mean and RMS to every kept one.
#pragma once

#include "quant/cuda/block_grid.h"

namespace ridgeline::cuda {

// dL/dscale and dL/doffset of a block's grid.
struct GridGradients {
  float scale;
  float offset;
};

// d mean: its share to each element. d RMS: in proportion to the distance from the mean.
template <class Lanes>
RIDGELINE_HOST_DEVICE void AddGaussianGradient(const BlockParams& params, const Lanes& lanes, const Block<Lanes>& block,
                                               GridGradients d, typename Lanes::Numbers* dx) {
  const Moments moments = MomentsOf(params, lanes, block);
  const float highest = params.levels.highest;
  const float d_extent = params.is_affine ? 2.0f / highest * d.scale - d.offset : d.scale / highest;
  const float d_rms = params.gaussian_extent * d_extent / block.kept_count;
  const float d_mean = params.is_affine ? d.offset / block.kept_count : 0.0f;
  const float factor = d_rms * InverseOrZero(moments.rms);
  ForEachSlot<Lanes>(
      [&](int slot) { (*dx)[slot] = MulAdd(block.Kept(slot) - moments.mean, factor, (*dx)[slot] + d_mean); });
}

template <class Lanes>
RIDGELINE_HOST_DEVICE void AddMeanMagnitudeGradient(const Block<Lanes>& block, float d_mean,
                                                    typename Lanes::Numbers* dx) {
  const float share = d_mean / block.kept_count;
  ForEachSlot<Lanes>([&](int slot) {
    const float x = block.Kept(slot);
    (*dx)[slot] += x > 0.0f ? share : x < 0.0f ? -share : 0.0f;
  });
}

// dx += share at the first element whose of_slot(slot) is `value`.
template <class Lanes, class OfSlot>
RIDGELINE_HOST_DEVICE void AddAtFirst(const Lanes& lanes, float value, float share, const OfSlot& of_slot,
                                      typename Lanes::Numbers* dx) {
  const int first = lanes.First([&](int slot) { return of_slot(slot) == value; });
  ForEachSlot<Lanes>([&](int slot) { (*dx)[slot] += lanes.ElementOf(slot) == first ? share : 0.0f; });
}

template <class Lanes>
RIDGELINE_HOST_DEVICE void AddMinMaxGradient(const BlockParams& params, const Lanes& lanes, const Block<Lanes>& block,
                                             GridGradients d, typename Lanes::Numbers* dx) {
  const auto kept = [&](int slot) { return block.Kept(slot); };
  const float share = d.scale / params.levels.highest;
  AddAtFirst(lanes, Largest(lanes, -INFINITY, kept), share, kept, dx);
  AddAtFirst(lanes, Smallest(lanes, INFINITY, kept), d.offset - share, kept, dx);
}

template <class Lanes>
RIDGELINE_HOST_DEVICE void AddMaxMagnitudeGradient(const BlockParams& params, const Lanes& lanes,
                                                   const Block<Lanes>& block, float d_scale,
                                                   typename Lanes::Numbers* dx) {
  const float largest = LargestMagnitude(lanes, block), share = d_scale / params.levels.highest;
  const int first = lanes.First([&](int slot) { return Abs(block.Kept(slot)) == largest; });
  ForEachSlot<Lanes>([&](int slot) {
    const float signed_share = block.Kept(slot) < 0.0f ? -share : share;
    (*dx)[slot] += lanes.ElementOf(slot) == first ? signed_share : 0.0f;
  });
}

template <class Lanes>
RIDGELINE_HOST_DEVICE void AddGridGradient(const BlockParams& params, const Lanes& lanes, const Block<Lanes>& block,
                                           GridGradients d, typename Lanes::Numbers* dx) {
  if (params.rule == GridRule::kGaussian)
    AddGaussianGradient(params, lanes, block, d, dx);
  else if (params.rule == GridRule::kMinMax)
    AddMinMaxGradient(params, lanes, block, d, dx);
  else if (params.rule == GridRule::kMeanAbs)
    AddMeanMagnitudeGradient(block, d.scale, dx);
  else
    AddMaxMagnitudeGradient(params, lanes, block, d.scale, dx);
}

}  // namespace ridgeline::cuda
