// SPDX-License-Identifier: Apache-2.0
// Vectors of float from and to float or bfloat16 in memory. Compiled once for each instruction set.
#if defined(RIDGELINE_MODEL_KERNELS_BF16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_MODEL_KERNELS_BF16_INL_H_
#undef RIDGELINE_MODEL_KERNELS_BF16_INL_H_
#else
#define RIDGELINE_MODEL_KERNELS_BF16_INL_H_
#endif

#include <hwy/highway.h>

#include "model/kernels/rows.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline::rows {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;
using Words = hn::Rebind<uint32_t, Floats>;
using Halves = hn::Rebind<uint16_t, Floats>;

HWY_INLINE Vector Load(const float* p) { return hn::LoadU(Floats(), p); }
HWY_INLINE Vector Load(const Bfloat16* p) {
  return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(Words(), hn::LoadU(Halves(), &p->bits))));
}

HWY_INLINE void Store(Vector v, float* p) { hn::StoreU(v, Floats(), p); }
// Rounds to nearest, ties to even; a NaN stays one.
HWY_INLINE void Store(Vector v, Bfloat16* p) {
  const Words words;
  const auto bits = hn::BitCast(words, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 1));
  auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(words, 0x7FFF))));
  const auto is_nan = hn::RebindMask(words, hn::IsNaN(v));
  rounded = hn::IfThenElse(is_nan, hn::Set(words, 0x7FC0), rounded);
  hn::StoreU(hn::DemoteTo(Halves(), hn::BitCast(hn::RebindToSigned<Words>(), rounded)), Halves(), &p->bits);
}

HWY_INLINE float ToFloat(float x) { return x; }
HWY_INLINE float ToFloat(Bfloat16 x) {
  const uint32_t word = uint32_t{x.bits} << 16;
  float result;
  __builtin_memcpy(&result, &word, sizeof result);
  return result;
}
HWY_INLINE void FromFloat(float x, float* p) { *p = x; }
HWY_INLINE void FromFloat(float x, Bfloat16* p) {
  uint32_t word;
  __builtin_memcpy(&word, &x, sizeof word);
  p->bits = x != x ? 0x7FC0 : static_cast<uint16_t>((word + 0x7FFF + ((word >> 16) & 1)) >> 16);
}

// Calls vector(i) for whole vectors of [0, n), then the same with a copy of the tail padded by the given numbers.
// `Lanes` numbers a call.
HWY_INLINE int64_t LaneCount() { return static_cast<int64_t>(hn::Lanes(Floats())); }

// The first `count` numbers at p, the others `fill`.
template <typename T>
HWY_INLINE Vector LoadTail(const T* p, int64_t count, float fill) {
  HWY_ALIGN float buffer[HWY_MAX_BYTES / sizeof(float)];
  for (int64_t i = 0; i < LaneCount(); ++i) buffer[i] = i < count ? ToFloat(p[i]) : fill;
  return hn::Load(Floats(), buffer);
}
template <typename T>
HWY_INLINE void StoreTail(Vector v, T* p, int64_t count) {
  HWY_ALIGN float buffer[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, Floats(), buffer);
  for (int64_t i = 0; i < count; ++i) FromFloat(buffer[i], p + i);
}

// Where a loop over vectors reads and writes: whole vectors, or the tail.
struct Whole {
  template <typename T>
  HWY_INLINE Vector Get(const T* p, float) const {
    return Load(p);
  }
  template <typename T>
  HWY_INLINE void Put(Vector v, T* p) const {
    Store(v, p);
  }
};
struct Tail {
  int64_t count;
  template <typename T>
  HWY_INLINE Vector Get(const T* p, float fill) const {
    return LoadTail(p, count, fill);
  }
  template <typename T>
  HWY_INLINE void Put(Vector v, T* p) const {
    StoreTail(v, p, count);
  }
};

// Calls step(i, access) for each vector of [0, n); the last may be a tail.
template <typename Step>
HWY_INLINE void ForVectors(int64_t n, const Step& step) {
  const int64_t lanes = LaneCount();
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) step(i, Whole());
  if (i < n) step(i, Tail{n - i});
}

HWY_INLINE float Total(Vector v) { return hn::GetLane(hn::SumOfLanes(Floats(), v)); }

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline::rows
HWY_AFTER_NAMESPACE();

#endif
