// SPDX-License-Identifier: Apache-2.0
#include "model/kernels/gradient_blocks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/gradient_blocks.cc"
#include <hwy/foreach_target.h>

#include "model/kernels/bf16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using rows::Bfloat16;
using namespace rows::HWY_NAMESPACE;  // Vectors of float in memory.

using Integers = hn::Rebind<int32_t, Floats>;
using Codes = hn::Rebind<int8_t, Floats>;

constexpr float kLargestCode = 127, kSmallestNormal = 1.17549435e-38f;
constexpr int32_t kInfinityBits = 0x7F800000;

// Of a block: what its numbers' counters are mixed with.
struct BlockKey {
  uint32_t sum, parity;
};

HWY_INLINE uint64_t Mix64(uint64_t h) {
  h = (h ^ (h >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  h = (h ^ (h >> 27)) * UINT64_C(0x94D049BB133111EB);
  return h ^ (h >> 31);
}

HWY_INLINE BlockKey KeyOf(uint64_t mixed_seed, int64_t block) {
  const uint64_t key = Mix64(mixed_seed + static_cast<uint64_t>(block));
  return {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
}

// 24 random bits as a number in 0 .. 2^24 - 1: the mixer of quant/kernels/noise.cc, whose key there is the block's own
// numbers. Those will not do here: equal gradients of two steps would be rounded alike.
HWY_INLINE Vector Draw(hn::Vec<Words> counters, hn::Vec<Words> parity) {
  const Words words;
  auto h = hn::Mul(hn::Xor(counters, hn::ShiftRight<16>(counters)), hn::Set(words, 0x7FEB352Du));
  h = hn::Xor(h, parity);
  h = hn::Mul(hn::Xor(h, hn::ShiftRight<15>(h)), hn::Set(words, 0x846CA68Bu));
  h = hn::Xor(h, hn::ShiftRight<16>(h));
  return hn::ConvertTo(Floats(), hn::BitCast(Integers(), hn::ShiftRight<8>(h)));
}

// The bits of the largest |x|; at least those of infinity where a number is not finite.
template <typename T>
HWY_INLINE int32_t LargestBits(const T* HWY_RESTRICT x) {
  auto largest = hn::Zero(Integers());
  for (int64_t i = 0; i < kWireBlock; i += LaneCount())
    largest = hn::Max(largest, hn::BitCast(Integers(), hn::Abs(Load(x + i))));
  return hn::GetLane(hn::MaxOfLanes(Integers(), largest));
}

// A number y between -127 and 127 becomes floor(y) or the next, that with the probability y - floor(y).
HWY_INLINE void StoreRounded(Vector y, Vector draw, int8_t* code) {
  const Floats d;
  const Vector below = hn::Floor(y);
  const auto up = hn::Lt(draw, hn::Mul(hn::Sub(y, below), hn::Set(d, 0x1p24f)));
  const Vector rounded = hn::Add(below, hn::IfThenElseZero(up, hn::Set(d, 1)));
  hn::StoreU(hn::DemoteTo(Codes(), hn::NearestInt(rounded)), Codes(), code);
}

// A scale is at least the smallest normal number: its inverse is finite, and no code times it is a denormal.
template <typename T>
HWY_INLINE void EncodeBlock(const T* HWY_RESTRICT x, BlockKey key, std::byte* HWY_RESTRICT wire) {
  const Floats d;
  const int32_t bits = LargestBits(x);
  float largest;
  __builtin_memcpy(&largest, &bits, sizeof largest);
  const bool finite = bits < kInfinityBits;
  const float step = largest / kLargestCode;
  const float scale = !finite ? __builtin_nanf("") : step > kSmallestNormal ? step : kSmallestNormal;
  __builtin_memcpy(wire, &scale, sizeof scale);
  int8_t* HWY_RESTRICT codes = reinterpret_cast<int8_t*>(wire + sizeof scale);
  if (!finite) {
    __builtin_memset(codes, 0, kWireBlock);
    return;
  }
  const Vector inverse = hn::Set(d, 1 / scale), most = hn::Set(d, kLargestCode), least = hn::Set(d, -kLargestCode);
  const Words words;
  const auto parity = hn::Set(words, key.parity), lanes = hn::Set(words, static_cast<uint32_t>(LaneCount()));
  auto counters = hn::Add(hn::Iota(words, 0), hn::Set(words, key.sum));
  for (int64_t i = 0; i < kWireBlock; i += LaneCount(), counters = hn::Add(counters, lanes)) {
    const Vector y = hn::Mul(Load(x + i), inverse);
    StoreRounded(hn::Min(hn::Max(y, least), most), Draw(counters, parity), codes + i);
  }
}

template <typename T>
void EncodeInt8Blocks(const T* x, int64_t n, uint64_t seed, int64_t first_block, std::byte* wire) {
  const uint64_t mixed_seed = Mix64(seed);
  int64_t block = first_block, i = 0;
  for (; i + kWireBlock <= n; i += kWireBlock, wire += kWireBlockBytes)
    EncodeBlock(x + i, KeyOf(mixed_seed, block++), wire);
  if (i == n) return;
  T tail[kWireBlock] = {};
  std::byte tail_wire[kWireBlockBytes];
  for (int64_t k = 0; k < n - i; ++k) tail[k] = x[i + k];
  EncodeBlock(tail, KeyOf(mixed_seed, block), tail_wire);
  __builtin_memcpy(wire, tail_wire, sizeof(float) + static_cast<size_t>(n - i));
}

// Adds to `sum` or replaces it.
template <Arrival arrival, class Access>
HWY_INLINE void Arrive(Vector v, Access at, float* sum) {
  if constexpr (arrival == Arrival::kAdds) v = hn::Add(at.Get(sum, 0), v);
  at.Put(v, sum);
}

template <Arrival arrival>
HWY_INLINE void DecodeBlock(const std::byte* HWY_RESTRICT wire, float* HWY_RESTRICT sum) {
  float scale;
  __builtin_memcpy(&scale, wire, sizeof scale);
  const int8_t* HWY_RESTRICT codes = reinterpret_cast<const int8_t*>(wire + sizeof scale);
  const Vector scales = hn::Set(Floats(), scale);
  for (int64_t i = 0; i < kWireBlock; i += LaneCount()) {
    const auto code = hn::PromoteTo(Integers(), hn::LoadU(Codes(), codes + i));
    Arrive<arrival>(hn::Mul(hn::ConvertTo(Floats(), code), scales), Whole(), sum + i);
  }
}

template <Arrival arrival>
HWY_INLINE void DecodeBlocks(const std::byte* wire, int64_t n, float* sum) {
  int64_t i = 0;
  for (; i + kWireBlock <= n; i += kWireBlock, wire += kWireBlockBytes) DecodeBlock<arrival>(wire, sum + i);
  if (i == n) return;
  float tail[kWireBlock] = {};
  std::byte tail_wire[kWireBlockBytes] = {};
  if constexpr (arrival == Arrival::kAdds)
    for (int64_t k = 0; k < n - i; ++k) tail[k] = sum[i + k];
  __builtin_memcpy(tail_wire, wire, sizeof(float) + static_cast<size_t>(n - i));
  DecodeBlock<arrival>(tail_wire, tail);
  for (int64_t k = 0; k < n - i; ++k) sum[i + k] = tail[k];
}

void DecodeInt8Blocks(const std::byte* wire, int64_t n, Arrival arrival, float* sum) {
  if (arrival == Arrival::kAdds) return DecodeBlocks<Arrival::kAdds>(wire, n, sum);
  DecodeBlocks<Arrival::kReplaces>(wire, n, sum);
}

template <typename From, typename To>
HWY_INLINE void Convert(const From* HWY_RESTRICT x, int64_t n, To* HWY_RESTRICT y) {
  ForVectors(n, [&](int64_t i, auto at) HWY_ATTR { at.Put(at.Get(x + i, 0), y + i); });
}

template <typename T>
HWY_INLINE void DecodeNumbers(const T* HWY_RESTRICT x, int64_t n, Arrival arrival, float* HWY_RESTRICT sum) {
  if (arrival == Arrival::kReplaces) return Convert(x, n, sum);
  ForVectors(n, [&](int64_t i, auto at) HWY_ATTR { Arrive<Arrival::kAdds>(at.Get(x + i, 0), at, sum + i); });
}

void EncodeInt8F32(const float* x, int64_t n, uint64_t seed, int64_t first_block, std::byte* wire) {
  EncodeInt8Blocks(x, n, seed, first_block, wire);
}
void EncodeInt8Bf16(const Bfloat16* x, int64_t n, uint64_t seed, int64_t first_block, std::byte* wire) {
  EncodeInt8Blocks(x, n, seed, first_block, wire);
}
void EncodeBfloat16F32(const float* x, int64_t n, std::byte* wire) { Convert(x, n, reinterpret_cast<Bfloat16*>(wire)); }
void EncodeFloat32Bf16(const Bfloat16* x, int64_t n, std::byte* wire) { Convert(x, n, reinterpret_cast<float*>(wire)); }
void DecodeBfloat16Numbers(const std::byte* wire, int64_t n, Arrival arrival, float* sum) {
  DecodeNumbers(reinterpret_cast<const Bfloat16*>(wire), n, arrival, sum);
}
void DecodeFloat32Numbers(const std::byte* wire, int64_t n, Arrival arrival, float* sum) {
  DecodeNumbers(reinterpret_cast<const float*>(wire), n, arrival, sum);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cstring>

namespace ridgeline {

using rows::Bfloat16;

HWY_EXPORT(EncodeInt8F32);
HWY_EXPORT(EncodeInt8Bf16);
HWY_EXPORT(EncodeBfloat16F32);
HWY_EXPORT(EncodeFloat32Bf16);
HWY_EXPORT(DecodeInt8Blocks);
HWY_EXPORT(DecodeBfloat16Numbers);
HWY_EXPORT(DecodeFloat32Numbers);

template <>
void EncodeInt8(const float* x, int64_t n, uint64_t seed, int64_t first_block, std::byte* wire) {
  HWY_DYNAMIC_DISPATCH(EncodeInt8F32)(x, n, seed, first_block, wire);
}
template <>
void EncodeInt8(const Bfloat16* x, int64_t n, uint64_t seed, int64_t first_block, std::byte* wire) {
  HWY_DYNAMIC_DISPATCH(EncodeInt8Bf16)(x, n, seed, first_block, wire);
}
template <>
void EncodeBfloat16(const float* x, int64_t n, std::byte* wire) {
  HWY_DYNAMIC_DISPATCH(EncodeBfloat16F32)(x, n, wire);
}
template <>
void EncodeBfloat16(const Bfloat16* x, int64_t n, std::byte* wire) {
  if (n > 0) std::memcpy(wire, x, static_cast<size_t>(n) * sizeof *x);
}
template <>
void EncodeFloat32(const float* x, int64_t n, std::byte* wire) {
  if (n > 0) std::memcpy(wire, x, static_cast<size_t>(n) * sizeof *x);
}
template <>
void EncodeFloat32(const Bfloat16* x, int64_t n, std::byte* wire) {
  HWY_DYNAMIC_DISPATCH(EncodeFloat32Bf16)(x, n, wire);
}

void DecodeInt8(const std::byte* wire, int64_t n, Arrival arrival, float* sum) {
  HWY_DYNAMIC_DISPATCH(DecodeInt8Blocks)(wire, n, arrival, sum);
}
void DecodeBfloat16(const std::byte* wire, int64_t n, Arrival arrival, float* sum) {
  HWY_DYNAMIC_DISPATCH(DecodeBfloat16Numbers)(wire, n, arrival, sum);
}
void DecodeFloat32(const std::byte* wire, int64_t n, Arrival arrival, float* sum) {
  HWY_DYNAMIC_DISPATCH(DecodeFloat32Numbers)(wire, n, arrival, sum);
}

}  // namespace ridgeline
#endif  // HWY_ONCE
