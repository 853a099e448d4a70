// SPDX-License-Identifier: Apache-2.0
// The lanes of a warp, one after the other on the host: what block math gives on the device, without a device.
#pragma once

#include "quant/cuda/lane_layout.h"

namespace ridgeline::cuda {

// The policy that lane_layout.h describes. Slots are those of lane 0, lane 1, and so on.
template <class LayoutType>
class EmulatedLanes {
 public:
  using Layout = LayoutType;
  static constexpr int kSlots = Layout::kRoom;
  using Numbers = SlotArray<float, kSlots>;
  using Flags = SlotArray<bool, kSlots>;

  explicit EmulatedLanes(int n) : n_(n) {}

  int n() const { return n_; }
  int ElementOf(int slot) const { return Layout::ElementOf(slot / Layout::kPerLane, slot % Layout::kPerLane); }
  bool Holds(int slot) const { return ElementOf(slot) < n_; }

  template <class Step, class Join>
  float Reduce(float start, const Step& step, const Join& join) const {
    SlotArray<float, Layout::kLanes> lanes;
    for (int lane = 0; lane < Layout::kLanes; ++lane) lanes[lane] = start;
    for (int slot = 0; slot < kSlots; ++slot)
      if (Holds(slot)) lanes[slot / Layout::kPerLane] = step(lanes[slot / Layout::kPerLane], slot);
    for (int apart = Layout::kLanes / 2; apart > 0; apart /= 2) {
      const auto before = lanes;
      for (int lane = 0; lane < Layout::kLanes; ++lane) lanes[lane] = join(before[lane], before[lane ^ apart]);
    }
    return lanes[0];
  }

  template <class Test>
  bool All(const Test& test) const {
    for (int slot = 0; slot < kSlots; ++slot)
      if (Holds(slot) && !test(slot)) return false;
    return true;
  }

  template <class Test>
  int First(const Test& test) const {
    int first = n_;
    for (int slot = 0; slot < kSlots; ++slot)
      if (ElementOf(slot) < first && test(slot)) first = ElementOf(slot);
    return first;
  }

  Numbers Exchange(const Numbers& numbers, int apart) const {
    return NumbersOf<EmulatedLanes>([&](int slot) { return numbers[slot ^ (apart * Layout::kPerLane)]; });
  }

 private:
  int n_;
};

}  // namespace ridgeline::cuda
