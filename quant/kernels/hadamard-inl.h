// SPDX-License-Identifier: Apache-2.0
// The Walsh-Hadamard transform of a block, for its own function and for the blocks of estimators. A butterfly on each
// bit of the index: those of whole vectors four vectors at a time, those within a vector by a shuffle and one
// multiplication and addition. Compiled once for each instruction set; include only from files that use foreach_target.
#if defined(RIDGELINE_QUANT_KERNELS_HADAMARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_HADAMARD_INL_H_
#undef RIDGELINE_QUANT_KERNELS_HADAMARD_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_HADAMARD_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR  // Which has no vectors to shuffle.
// The vector with neighbours of 2^bit lanes exchanged; kBytes is 2^bit lanes in bytes.
template <int kBytes, class D, class V>
HWY_INLINE V ExchangeNeighbours(D d, V v) {
  const hn::Repartition<float, D> d32;  // Whose instructions stay among those of floating-point numbers.
  if constexpr (kBytes == 4)
    return hn::BitCast(d, hn::Shuffle2301(hn::BitCast(d32, v)));
  else if constexpr (kBytes == 8)
    return hn::BitCast(d, hn::Shuffle1032(hn::BitCast(d32, v)));
  else if constexpr (kBytes == 16 && hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) > 32)
    return hn::SwapAdjacentBlocks(v);
  else
    return hn::ConcatLowerUpper(d, v, v);
}

// Butterfly within vectors: the lower of two neighbours becomes their sum, the upper their difference.
template <int kBytes, class D, class V>
HWY_INLINE V ButterflyWithin(D d, V v) {
  using T = hn::TFromD<D>;
  constexpr size_t kStep = kBytes / sizeof(T);
  HWY_ALIGN T signs[hn::MaxLanes(D())];
  for (size_t lane = 0; lane < hn::Lanes(d); ++lane) signs[lane] = (lane & kStep) != 0 ? T(-1) : T(1);
  return hn::MulAdd(v, hn::Load(d, signs), ExchangeNeighbours<kBytes>(d, v));
}

template <class D, class V>
HWY_INLINE V TransformVector(D d, V v) {
  constexpr size_t kVectorBytes = hn::MaxLanes(D()) * sizeof(hn::TFromD<D>);
  if constexpr (sizeof(hn::TFromD<D>) == 4) v = ButterflyWithin<4>(d, v);
  v = ButterflyWithin<8>(d, v);
  if constexpr (kVectorBytes > 16) v = ButterflyWithin<16>(d, v);
  if constexpr (kVectorBytes > 32) v = ButterflyWithin<32>(d, v);
  return v;
}
#endif

// Butterflies of numbers `apart` from each other, in place.
template <class D, typename T>
HWY_INLINE void ButterfliesAcross(D d, int64_t n, int64_t apart, T* y) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t begin = 0; begin < n; begin += 2 * apart)
    for (int64_t i = begin; i < begin + apart; i += lanes) {
      const auto a = hn::LoadU(d, y + i), b = hn::LoadU(d, y + i + apart);
      hn::StoreU(hn::Add(a, b), d, y + i);
      hn::StoreU(hn::Sub(a, b), d, y + i + apart);
    }
}

// Those `apart` and then those 2 * apart from each other.
template <class D, typename T>
HWY_INLINE void TwoButterfliesAcross(D d, int64_t n, int64_t apart, T* y) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t begin = 0; begin < n; begin += 4 * apart)
    for (int64_t i = begin; i < begin + apart; i += lanes) {
      const auto a = hn::LoadU(d, y + i), b = hn::LoadU(d, y + i + apart);
      const auto c = hn::LoadU(d, y + i + 2 * apart), e = hn::LoadU(d, y + i + 3 * apart);
      const auto ab = hn::Add(a, b), a_b = hn::Sub(a, b), ce = hn::Add(c, e), c_e = hn::Sub(c, e);
      hn::StoreU(hn::Add(ab, ce), d, y + i);
      hn::StoreU(hn::Add(a_b, c_e), d, y + i + apart);
      hn::StoreU(hn::Sub(ab, ce), d, y + i + 2 * apart);
      hn::StoreU(hn::Sub(a_b, c_e), d, y + i + 3 * apart);
    }
}

// y = factor * H x of kVectors vectors, all in registers.
template <int kVectors, class D, typename T>
HWY_INLINE void TransformVectors(D d, const T* x, T factor, T* y) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<D> v[kVectors];
  for (int k = 0; k < kVectors; ++k) {
    v[k] = hn::Mul(hn::Set(d, factor), hn::LoadU(d, x + k * lanes));
    if constexpr (hn::MaxLanes(D()) > 1) v[k] = TransformVector(d, v[k]);
  }
  for (int apart = 1; apart < kVectors; apart *= 2)
    for (int k = 0; k < kVectors; ++k)
      if ((k & apart) == 0) {
        const auto a = v[k], b = v[k + apart];
        v[k] = hn::Add(a, b);
        v[k + apart] = hn::Sub(a, b);
      }
  for (int k = 0; k < kVectors; ++k) hn::StoreU(v[k], d, y + k * lanes);
}

// y = factor * H x with H of ones. REQUIRES: n is a power of two and a multiple of d's lanes.
template <class D, typename T>
HWY_INLINE void TransformBlock(D d, const T* x, int64_t n, T factor, T* y) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t apart = 8 * lanes;
  if (n >= apart) {
    for (int64_t i = 0; i < n; i += apart) TransformVectors<8>(d, x + i, factor, y + i);
  } else {
    for (int64_t i = 0; i < n; i += lanes) TransformVectors<1>(d, x + i, factor, y + i);
    apart = lanes;
  }
  for (; 4 * apart <= n; apart *= 4) TwoButterfliesAcross(d, n, apart, y);
  if (apart < n) ButterfliesAcross(d, n, apart, y);
}

// What normalises H of n rows.
template <typename T>
HWY_INLINE T RotationFactor(int64_t n) {
  return static_cast<T>(1 / __builtin_sqrt(static_cast<double>(n)));
}

// y = factor * H x with H of ones. y may be x. REQUIRES: n is a power of two.
template <typename T>
HWY_NOINLINE void Rotate(const T* x, int64_t n, T factor, T* y) {
  const hn::ScalableTag<T> full;
  const hn::CappedTag<T, 1> single;
  if (n >= static_cast<int64_t>(hn::Lanes(full)))
    TransformBlock(full, x, n, factor, y);
  else
    TransformBlock(single, x, n, factor, y);
}

// y = D x with the signs D, as numbers, of a block. y may be x.
template <typename T>
HWY_INLINE void FlipSigns(const T* x, const T* signs, int64_t n, T* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * signs[i];
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_HADAMARD_INL_H_
