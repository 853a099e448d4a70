// SPDX-License-Identifier: Apache-2.0
// One lane of a warp, or of the part of a warp that holds a block. For .cu files.
#pragma once

#include "quant/cuda/lane_layout.h"

namespace ridgeline::cuda {

// The instructions by which lanes see each other; `members` says which lanes take part. Host code never runs them.
RIDGELINE_HOST_DEVICE float ShuffleXor(unsigned members, float value, int apart) {
#ifdef __CUDA_ARCH__
  return __shfl_xor_sync(members, value, apart);
#else
  return value;
#endif
}
RIDGELINE_HOST_DEVICE bool VoteAll(unsigned members, bool value) {
#ifdef __CUDA_ARCH__
  return __all_sync(members, value) != 0;
#else
  return value;
#endif
}
RIDGELINE_HOST_DEVICE int LeastOf(unsigned members, int value) {
#ifdef __CUDA_ARCH__
  return __reduce_min_sync(members, value);
#else
  return value;
#endif
}

// The policy that lane_layout.h describes. REQUIRES: all lanes of the block reach each call together; other blocks of
// the warp may have left or be elsewhere.
template <class LayoutType>
class WarpLanes {
 public:
  using Layout = LayoutType;
  static constexpr int kSlots = Layout::kPerLane;
  using Numbers = SlotArray<float, kSlots>;
  using Flags = SlotArray<bool, kSlots>;

  // `thread` is the thread's number in its thread block.
  RIDGELINE_HOST_DEVICE WarpLanes(int n, unsigned thread)
      : n_(n),
        lane_(static_cast<int>(thread % Layout::kLanes)),
        members_((~0u >> (32 - Layout::kLanes)) << (thread % 32 / Layout::kLanes * Layout::kLanes)) {}

  RIDGELINE_HOST_DEVICE int n() const { return n_; }
  RIDGELINE_HOST_DEVICE int ElementOf(int slot) const { return Layout::ElementOf(lane_, slot); }
  RIDGELINE_HOST_DEVICE bool Holds(int slot) const { return ElementOf(slot) < n_; }

  template <class Step, class Join>
  RIDGELINE_HOST_DEVICE float Reduce(float start, const Step& step, const Join& join) const {
    float own = start;
    ForEachSlot<WarpLanes>([&](int slot) { own = Holds(slot) ? step(own, slot) : own; });
    RIDGELINE_UNROLL
    for (int apart = Layout::kLanes / 2; apart > 0; apart /= 2) own = join(own, ShuffleXor(members_, own, apart));
    return own;
  }

  template <class Test>
  RIDGELINE_HOST_DEVICE bool All(const Test& test) const {
    bool all = true;
    ForEachSlot<WarpLanes>([&](int slot) { all = all && (!Holds(slot) || test(slot)); });
    return VoteAll(members_, all);
  }

  template <class Test>
  RIDGELINE_HOST_DEVICE int First(const Test& test) const {
    int first = n_;
    ForEachSlot<WarpLanes>([&](int slot) {
      const int element = ElementOf(slot);
      first = element < first && test(slot) ? element : first;
    });
    return LeastOf(members_, first);
  }

  RIDGELINE_HOST_DEVICE Numbers Exchange(const Numbers& numbers, int apart) const {
    return NumbersOf<WarpLanes>([&](int slot) { return ShuffleXor(members_, numbers[slot], apart); });
  }

 private:
  int n_, lane_;
  unsigned members_;
};

}  // namespace ridgeline::cuda
