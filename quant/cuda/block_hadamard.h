// SPDX-License-Identifier: Apache-2.0
// The Walsh-Hadamard transform of a block: one butterfly for each bit of the element's index, within a lane's registers
// for the bits of vectors, between lanes for those of the lane. In the order of the CPU's kernels, with the same bits.
#pragma once

#include "method/hadamard_sign.h"
#include "quant/cuda/lane_layout.h"

namespace ridgeline::cuda {

// Of slots 2^kSlotBit apart in the same lane.
template <int kSlotBit, class Lanes>
RIDGELINE_HOST_DEVICE void ButterflyWithinLanes(typename Lanes::Numbers* y) {
  constexpr int kApart = 1 << kSlotBit;
  ForEachSlot<Lanes>([&](int slot) {
    if ((slot & kApart) != 0) return;
    const float a = (*y)[slot], b = (*y)[slot | kApart];
    (*y)[slot] = a + b;
    (*y)[slot | kApart] = a - b;
  });
}

// Of lanes 2^kLaneBit apart: the lower one gets the sum, the upper one the difference.
template <int kLaneBit, class Lanes>
RIDGELINE_HOST_DEVICE void ButterflyAcrossLanes(const Lanes& lanes, typename Lanes::Numbers* y) {
  constexpr int kElementsApart = Lanes::Layout::kVector << kLaneBit;
  const typename Lanes::Numbers other = lanes.Exchange(*y, 1 << kLaneBit);
  ForEachSlot<Lanes>([&](int slot) {
    const float sign = (lanes.ElementOf(slot) & kElementsApart) != 0 ? -1.0f : 1.0f;
    (*y)[slot] = MulAdd(sign, (*y)[slot], other[slot]);
  });
}

template <int kBit, class Lanes>
RIDGELINE_HOST_DEVICE void ButterfliesFrom(const Lanes& lanes, typename Lanes::Numbers* y) {
  using Layout = typename Lanes::Layout;
  if constexpr ((1 << kBit) < Layout::kRoom) {
    if ((1 << kBit) >= lanes.n()) return;
    if constexpr (kBit < Layout::kVectorBits)
      ButterflyWithinLanes<kBit, Lanes>(y);
    else if constexpr (kBit < Layout::kVectorBits + Layout::kLaneBits)
      ButterflyAcrossLanes<kBit - Layout::kVectorBits>(lanes, y);
    else
      ButterflyWithinLanes<kBit - Layout::kLaneBits, Lanes>(y);
    ButterfliesFrom<kBit + 1>(lanes, y);
  }
}

// x = H x, with the factor that normalises H. REQUIRES: the block's length is a power of two.
template <class Lanes>
RIDGELINE_HOST_DEVICE void Rotate(const Lanes& lanes, float factor, typename Lanes::Numbers* x) {
  ForEachSlot<Lanes>([&](int slot) { (*x)[slot] *= factor; });
  ButterfliesFrom<0>(lanes, x);
}

// x = D x for the signs D of a block that begins at `column` of its row.
template <class Lanes>
RIDGELINE_HOST_DEVICE void FlipSigns(const Lanes& lanes, int64_t column, typename Lanes::Numbers* x) {
  ForEachSlot<Lanes>([&](int slot) {
    if (HadamardSign(column + lanes.ElementOf(slot)) < 0) (*x)[slot] = -(*x)[slot];
  });
}

}  // namespace ridgeline::cuda
