// SPDX-License-Identifier: Apache-2.0
// A block as estimators see it, rotated and pruned.
#pragma once

#include "quant/cuda/block_params.h"
#include "quant/cuda/lane_layout.h"

namespace ridgeline::cuda {

template <class Lanes>
struct Block {
  typename Lanes::Numbers x;  // Dense: what a regression aims at.
  typename Lanes::Flags kept;
  float kept_count;  // How many numbers a mean runs over.
  bool is_finite;    // No number is NaN or infinite.

  // What is quantized.
  RIDGELINE_HOST_DEVICE float Kept(int slot) const { return kept[slot] ? x[slot] : 0.0f; }
};

// How many of the group's numbers in `others` come before each number in size; `others` are those of the lane, or of
// the lane `apart` from it.
template <class Lanes>
RIDGELINE_HOST_DEVICE void CountLarger(const Lanes& lanes, int group, int apart, const typename Lanes::Numbers& sizes,
                                       const typename Lanes::Numbers& others, typename Lanes::Numbers* ranks) {
  ForEachSlot<Lanes>([&](int slot) {
    const int element = lanes.ElementOf(slot);
    RIDGELINE_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int other = (element / 4 ^ apart) * 4 + i;
      const float size = others[slot / 4 * 4 + i];
      const bool is_before = other < element ? size >= sizes[slot] : other > element && size > sizes[slot];
      if (is_before && (element ^ other) < group) (*ranks)[slot] += 1.0f;
    }
  });
}

// The `keep` largest of each group, of equals the first; a NaN is kept. Groups lie within a vector, or in a few
// neighbouring lanes. REQUIRES: the block holds whole groups.
template <class Lanes>
RIDGELINE_HOST_DEVICE void Prune(const BlockParams& params, const Lanes& lanes, Block<Lanes>* block) {
  const auto sizes = NumbersOf<Lanes>([&](int slot) { return Abs(block->x[slot]); });
  auto ranks = NumbersOf<Lanes>([](int) { return 0.0f; });
  CountLarger(lanes, params.group, 0, sizes, sizes, &ranks);
  for (int apart = 1; apart < params.group / 4; ++apart)
    CountLarger(lanes, params.group, apart, sizes, lanes.Exchange(sizes, apart), &ranks);
  ForEachSlot<Lanes>([&](int slot) { block->kept[slot] = ranks[slot] < static_cast<float>(params.keep); });
  block->kept_count = static_cast<float>(lanes.n() / params.group * params.keep);
}

template <class Lanes>
RIDGELINE_HOST_DEVICE Block<Lanes> BlockOf(const BlockParams& params, const Lanes& lanes,
                                           const typename Lanes::Numbers& x) {
  Block<Lanes> block;
  block.x = x;
  block.kept_count = static_cast<float>(lanes.n());
  block.is_finite = lanes.All([&](int slot) { return IsFinite(x[slot]); });
  ForEachSlot<Lanes>([&](int slot) { block.kept[slot] = true; });
  if (params.is_sparse()) Prune(params, lanes, &block);
  return block;
}

}  // namespace ridgeline::cuda
