// SPDX-License-Identifier: Apache-2.0
// How a block lies in the lanes of a warp, and what block math asks of them. A policy `Lanes` is either one lane of a
// real warp (warp_lanes.h) or all lanes of an emulated one (emulated_lanes.h); the same code runs on both:
//   kSlots                       numbers that one thread holds: those of its lane, or, emulated, those of every lane
//   Numbers, Flags               a number or a flag for each slot
//   n(), ElementOf(slot), Holds(slot)   the block's length; a slot's index in the block; whether that is below n
//   Reduce(start, step, join)    own = step(own, slot) over a lane's slots, then join over the lanes, for each lane
//   All(test), First(test)       whether test(slot) is true for every slot; the least element for which it is, or n
//   Exchange(numbers, apart)     the numbers of lane ^ apart
// Every lane gets the same result, and both policies combine in the same order, so results agree bit for bit.
#pragma once

#include "quant/cuda/scalar_math.h"

namespace ridgeline::cuda {

// The largest block that a warp holds.
inline constexpr int kLargestBlock = 1024;

constexpr int Log2(int power) { return power > 1 ? 1 + Log2(power / 2) : 0; }

// Lanes hold vectors of four consecutive numbers, one after the other over the lanes, so that loads are coalesced:
// an element's index is, from its low bits on, place in the vector, lane, number of the vector.
template <int kLaneCount, int kNumbersPerLane>
struct LaneLayout {
  static constexpr int kLanes = kLaneCount;
  static constexpr int kPerLane = kNumbersPerLane;
  static constexpr int kVector = 4;
  static constexpr int kRoom = kLanes * kPerLane;
  static constexpr int kVectorBits = Log2(kVector);
  static constexpr int kLaneBits = Log2(kLanes);

  RIDGELINE_HOST_DEVICE static constexpr int ElementOf(int lane, int place) {
    return (place / kVector * kLanes + lane) * kVector + place % kVector;
  }
};

// Calls function(layout) with the smallest layout that has room for the block. A block of 128 has a warp of its own;
// smaller ones share it. REQUIRES: block <= kLargestBlock.
template <class Function>
auto WithLayoutFor(int block, const Function& function) {
  if (block <= 16) return function(LaneLayout<4, 4>());
  if (block <= 32) return function(LaneLayout<8, 4>());
  if (block <= 64) return function(LaneLayout<16, 4>());
  if (block <= 128) return function(LaneLayout<32, 4>());
  if (block <= 256) return function(LaneLayout<32, 8>());
  return function(LaneLayout<32, kLargestBlock / 32>());
}

template <typename T, int kCount>
struct SlotArray {
  T values[kCount];

  RIDGELINE_HOST_DEVICE T& operator[](int slot) { return values[slot]; }
  RIDGELINE_HOST_DEVICE const T& operator[](int slot) const { return values[slot]; }
};

// With so many numbers a lane holds them in registers. Those of larger blocks, which are rare, are in local memory:
// their loops would fill the instruction cache, and take minutes to compile.
inline constexpr int kRegistersPerLane = 8;

// Calls function(slot) for each slot, or for the first of every kStep.
template <class Lanes, int kStep = 1, class Function>
RIDGELINE_HOST_DEVICE void ForEachSlot(const Function& function) {
  if constexpr (Lanes::kSlots <= kRegistersPerLane) {
    RIDGELINE_UNROLL
    for (int slot = 0; slot < Lanes::kSlots; slot += kStep) function(slot);
  } else {
    RIDGELINE_KEEP_ROLLED
    for (int slot = 0; slot < Lanes::kSlots; slot += kStep) function(slot);
  }
}

// Numbers with function(slot) in each slot.
template <class Lanes, class Function>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers NumbersOf(const Function& function) {
  typename Lanes::Numbers numbers;
  ForEachSlot<Lanes>([&](int slot) { numbers[slot] = function(slot); });
  return numbers;
}

// The sum over the block, where step(sum, slot) adds a slot's term.
template <class Lanes, class Step>
RIDGELINE_HOST_DEVICE float Sum(const Lanes& lanes, const Step& step) {
  return lanes.Reduce(0.0f, step, [](float a, float b) { return a + b; });
}

// The largest and the smallest of of_slot(slot).
template <class Lanes, class OfSlot>
RIDGELINE_HOST_DEVICE float Largest(const Lanes& lanes, float start, const OfSlot& of_slot) {
  return lanes.Reduce(
      start, [&](float largest, int slot) { return Max(largest, of_slot(slot)); },
      [](float a, float b) { return Max(a, b); });
}
template <class Lanes, class OfSlot>
RIDGELINE_HOST_DEVICE float Smallest(const Lanes& lanes, float start, const OfSlot& of_slot) {
  return lanes.Reduce(
      start, [&](float smallest, int slot) { return Min(smallest, of_slot(slot)); },
      [](float a, float b) { return Min(a, b); });
}

}  // namespace ridgeline::cuda
