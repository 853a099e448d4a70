// SPDX-License-Identifier: Apache-2.0
// The way of a block's numbers between memory and lanes: vectors of four where pointers allow it, else one by one.
#pragma once

#include "quant/cuda/lane_layout.h"
#include "quant/cuda/number_array.h"

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

template <class Lanes, typename T>
RIDGELINE_HOST_DEVICE void LoadFrom(const T* from, const Lanes& lanes, bool by_vectors,
                                    typename Lanes::Numbers* numbers) {
  ForEachSlot<Lanes, 4>([&](int slot) {
    const int element = lanes.ElementOf(slot);
    if (by_vectors && element + 4 <= lanes.n()) {
      const Vector<T> vector = *reinterpret_cast<const Vector<T>*>(from + element);
      RIDGELINE_UNROLL
      for (int i = 0; i < 4; ++i) (*numbers)[slot + i] = Widened(vector.numbers[i]);
    } else {
      RIDGELINE_UNROLL
      for (int i = 0; i < 4; ++i) (*numbers)[slot + i] = element + i < lanes.n() ? Widened(from[element + i]) : 0.0f;
    }
  });
}

template <class Lanes, typename T>
RIDGELINE_HOST_DEVICE void StoreTo(T* to, const Lanes& lanes, bool by_vectors, const typename Lanes::Numbers& numbers) {
  ForEachSlot<Lanes, 4>([&](int slot) {
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
  });
}

// The block that begins at number `begin`; slots behind its end hold 0.
template <class Lanes>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers Load(const Lanes& lanes, const ConstArray& from, int64_t begin,
                                                   bool by_vectors) {
  typename Lanes::Numbers numbers;
  from.Visit(begin, [&](const auto* block) { LoadFrom(block, lanes, by_vectors, &numbers); });
  return numbers;
}

template <class Lanes>
RIDGELINE_HOST_DEVICE void Store(const Lanes& lanes, const typename Lanes::Numbers& numbers, int64_t begin,
                                 bool by_vectors, const MutableArray& to) {
  to.Visit(begin, [&](auto* block) { StoreTo(block, lanes, by_vectors, numbers); });
}

}  // namespace ridgeline::cuda
