// SPDX-License-Identifier: Apache-2.0
// The way of a block's numbers between memory and lanes: vectors of four where pointers allow it, else one by one.
#pragma once

#include "quant/cuda/lane_layout.h"
#include "quant/kernels/numbers.h"

namespace ridgeline::cuda {

RIDGELINE_HOST_DEVICE float Widened(float x) { return x; }
RIDGELINE_HOST_DEVICE float Widened(BFloat16 x) { return FloatOf(static_cast<uint32_t>(x.bits) << 16); }

RIDGELINE_HOST_DEVICE void Narrow(float x, float* to) { *to = x; }

// To the nearest, ties to even. The device has an instruction for it.
RIDGELINE_HOST_DEVICE void Narrow(float x, BFloat16* to) {
#ifdef __CUDA_ARCH__
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to->bits) : "f"(x));
#else
  const uint32_t bits = BitsOf(x), odd = bits >> 16 & 1u;
  to->bits = static_cast<uint16_t>((x != x ? 0x7FC00000u : bits + odd + 0x7FFFu) >> 16);
#endif
}

// Four numbers that are loaded and stored by one instruction.
template <typename T>
struct alignas(4 * sizeof(T)) Vector {
  T numbers[4];
};

// Whether vectors may be read or written there.
template <typename T>
bool IsAlignedForVectors(const T* pointer) {
  return reinterpret_cast<uintptr_t>(pointer) % alignof(Vector<T>) == 0;
}

// Slots behind the block's end hold 0.
template <class Lanes, typename T>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers Load(const Lanes& lanes, const T* from, bool by_vectors) {
  typename Lanes::Numbers numbers;
  RIDGELINE_UNROLL
  for (int slot = 0; slot < Lanes::kSlots; slot += 4) {
    const int element = lanes.ElementOf(slot);
    if (by_vectors && element + 4 <= lanes.n()) {
      const Vector<T> vector = *reinterpret_cast<const Vector<T>*>(from + element);
      RIDGELINE_UNROLL
      for (int i = 0; i < 4; ++i) numbers[slot + i] = Widened(vector.numbers[i]);
    } else {
      RIDGELINE_UNROLL
      for (int i = 0; i < 4; ++i) numbers[slot + i] = element + i < lanes.n() ? Widened(from[element + i]) : 0.0f;
    }
  }
  return numbers;
}

template <class Lanes, typename T>
RIDGELINE_HOST_DEVICE void Store(const Lanes& lanes, const typename Lanes::Numbers& numbers, bool by_vectors, T* to) {
  RIDGELINE_UNROLL
  for (int slot = 0; slot < Lanes::kSlots; slot += 4) {
    const int element = lanes.ElementOf(slot);
    Vector<T> vector;
    RIDGELINE_UNROLL
    for (int i = 0; i < 4; ++i) Narrow(numbers[slot + i], &vector.numbers[i]);
    if (by_vectors && element + 4 <= lanes.n()) {
      *reinterpret_cast<Vector<T>*>(to + element) = vector;
    } else {
      RIDGELINE_UNROLL
      for (int i = 0; i < 4; ++i)
        if (element + i < lanes.n()) to[element + i] = vector.numbers[i];
    }
  }
}

}  // namespace ridgeline::cuda
