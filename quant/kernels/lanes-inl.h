// SPDX-License-Identifier: Apache-2.0
// Loops over the numbers of a block by full vectors and, behind them, by single numbers, and loads and stores that
// convert. Compiled once for each instruction set; include only from files that use foreach_target.
#if defined(RIDGELINE_QUANT_KERNELS_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_LANES_INL_H_
#undef RIDGELINE_QUANT_KERNELS_LANES_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_LANES_INL_H_
#endif

#include <hwy/highway.h>

#include "quant/kernels/numbers.h"

// Behind a lambda's parameters: what it is called with can then be constant within it.
#define RIDGELINE_ALWAYS_INLINE HWY_ATTR __attribute__((always_inline))

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Calls step(d, i) with tags d of as many numbers as are worked on at once from i on.
template <typename T, class Step>
HWY_INLINE void ForEachVector(int64_t n, const Step& step) {
  const hn::ScalableTag<T> full;
  const hn::CappedTag<T, 1> single;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(full));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) step(full, i);
  for (; i < n; ++i) step(single, i);
}

#if HWY_TARGET != HWY_SCALAR
// four[k] = the sum of lanes k, k + 4, k + 8 and so on.
template <class D, class V, typename T>
HWY_INLINE void FoldToFour(D d, V v, T* four) {
  if constexpr (hn::MaxLanes(D()) > 4) {
    const hn::Half<D> half;
    FoldToFour(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)), four);
  } else {
    hn::Store(v, d, four);
  }
}
#endif

// totals[k] = the sum of sums[k]'s lanes. Few sums of floats are folded together, each step for all of them.
template <class D, int kSums, typename T>
HWY_INLINE void SumLanes(D d, const hn::Vec<D> (&sums)[kSums], T (&totals)[kSums]) {
#if HWY_TARGET != HWY_SCALAR  // Which has no lanes to interleave.
  if constexpr (sizeof(T) == 4 && kSums >= 2 && kSums <= 4 && hn::MaxLanes(D()) >= 8) {
    // In each four lanes: a0 + a2, b0 + b2, a1 + a3, b1 + b3. The last two of three sums share the second.
    const auto fold = [d](auto a, auto b) RIDGELINE_ALWAYS_INLINE {
      return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
    };
    const hn::Repartition<double, D> pairs;
    const auto first = hn::BitCast(pairs, fold(sums[0], sums[1]));
    const auto last = hn::BitCast(pairs, fold(sums[kSums - 2], sums[kSums - 1]));
    const auto all = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, first, last)),
                             hn::BitCast(d, hn::InterleaveUpper(pairs, first, last)));
    HWY_ALIGN T four[4];
    FoldToFour(d, all, four);
    for (int k = 0; k < kSums; ++k) totals[k] = four[k < 2 ? k : k + 4 - kSums];
    return;
  }
#endif
  for (int k = 0; k < kSums; ++k) totals[k] = hn::GetLane(hn::SumOfLanes(d, sums[k]));
}

// totals[k] = the sum of what step(d, i, sums) adds to the vector sums[k]. Few sums run in several chains each, added
// up at the end: an addition takes longer than the rest of a step, and would be waited for.
template <int kSums, typename T, class Step>
HWY_INLINE void SumVectors(int64_t n, T (&totals)[kSums], const Step& step) {
  constexpr int kChains = kSums <= 2 ? 4 : 2;
  const hn::ScalableTag<T> full;
  const hn::CappedTag<T, 1> single;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(full));
  hn::Vec<decltype(full)> sums[kChains][kSums];
  hn::Vec<decltype(single)> rest[kSums];
  for (auto& chain : sums)
    for (auto& sum : chain) sum = hn::Zero(full);
  for (auto& sum : rest) sum = hn::Zero(single);
  int64_t i = 0;
  for (; i + kChains * lanes <= n; i += kChains * lanes)
    for (int chain = 0; chain < kChains; ++chain) step(full, i + chain * lanes, sums[chain]);
  for (; i + lanes <= n; i += lanes) step(full, i, sums[0]);
  const int64_t whole = i;
  for (; i < n; ++i) step(single, i, rest);
  for (int k = 0; k < kSums; ++k)
    for (int chain = 1; chain < kChains; ++chain) sums[0][k] = hn::Add(sums[0][k], sums[chain][k]);
  SumLanes(full, sums[0], totals);
  for (int k = 0; whole < n && k < kSums; ++k) totals[k] += hn::GetLane(rest[k]);
}

template <class D, typename T>
HWY_INLINE hn::Vec<D> LoadAs(D d, const T* from) {
  return hn::LoadU(d, from);
}

template <class D>
HWY_INLINE hn::Vec<D> LoadAs(D d, const BFloat16* from) {
  const hn::Rebind<uint16_t, D> d16;
  const hn::Rebind<uint32_t, D> d32;
  const auto bits = hn::LoadU(d16, reinterpret_cast<const uint16_t*>(from));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, bits)));
}

template <class D, typename T>
HWY_INLINE void StoreAs(hn::Vec<D> v, D d, T* to) {
  hn::StoreU(v, d, to);
}

// Adding 0x7FFF, and one more if the lowest bit that stays is set, carries where the numbers round up.
template <class D>
HWY_INLINE void StoreAs(hn::Vec<D> v, D d, BFloat16* to) {
  const hn::Rebind<uint16_t, D> d16;
  const hn::Rebind<uint32_t, D> d32;
  const auto bits = hn::BitCast(d32, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1u));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(d32, 0x7FFFu)));
  const auto kept = hn::IfThenElse(hn::RebindMask(d32, hn::IsNaN(v)), hn::Set(d32, 0x7FC00000u), rounded);
  hn::StoreU(hn::TruncateTo(d16, hn::ShiftRight<16>(kept)), d16, reinterpret_cast<uint16_t*>(to));
}

// to[i] = from[i], converted where the types differ.
template <typename T, typename From, typename To>
HWY_INLINE void ConvertNumbers(const From* from, int64_t n, To* to) {
  ForEachVector<T>(n, [&](auto d, int64_t i) HWY_ATTR { StoreAs(LoadAs(d, from + i), d, to + i); });
}

template <typename T>
HWY_INLINE void Copy(const T* from, int64_t n, T* to) {
  ConvertNumbers<T>(from, n, to);
}

// A bit an element, those of a vector together: element i of a block is bit i % 8 of byte i / 8. Fewer than eight lanes
// share a byte, which has to be 0 before the first of them.
template <class D>
HWY_INLINE void StoreBits(D d, hn::Mask<D> mask, int64_t i, uint8_t* bits) {
  uint8_t stored[8] = {};
  hn::StoreMaskBits(d, mask, stored);
  if constexpr (hn::MaxLanes(D()) < 8)
    bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | stored[0] << (i % 8));
  else
    __builtin_memcpy(bits + i / 8, stored, hn::Lanes(d) / 8);
}
template <class D>
HWY_INLINE hn::Mask<D> LoadBits(D d, const uint8_t* bits, int64_t i) {
  uint8_t stored[8] = {};
  if constexpr (hn::MaxLanes(D()) < 8)
    stored[0] = static_cast<uint8_t>(bits[i / 8] >> (i % 8));
  else
    __builtin_memcpy(stored, bits + i / 8, hn::Lanes(d) / 8);
  return hn::LoadMaskBits(d, stored);
}

template <typename T>
HWY_INLINE void Fill(T* out, int64_t n, T value) {
  for (int64_t i = 0; i < n; ++i) out[i] = value;
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_LANES_INL_H_
