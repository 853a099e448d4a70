// SPDX-License-Identifier: Apache-2.0
#include "quant/packed/unpack.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "common/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/packed/unpack.cc"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void SegmentSumsOfTarget(const int8_t* HWY_RESTRICT wholes, int64_t n, int64_t segment, float* HWY_RESTRICT sums) {
  for (int64_t begin = 0; begin < n; begin += segment) {
    const int64_t end = std::min(begin + segment, n);
    int64_t sum = 0, i = begin;
#if HWY_TARGET != HWY_SCALAR
    const hn::ScalableTag<uint8_t> d;  // Bytes are added 128 higher, without a sign.
    const hn::Repartition<uint64_t, decltype(d)> d64;
    const auto step = static_cast<int64_t>(hn::Lanes(d));
    auto lanes = hn::Zero(d64);
    for (; i + step <= end; i += step) {
      const auto from = hn::LoadU(d, reinterpret_cast<const uint8_t*>(wholes + i));
      lanes = hn::Add(lanes, hn::SumsOf8(hn::Xor(from, hn::Set(d, uint8_t{0x80}))));
    }
    sum = static_cast<int64_t>(hn::GetLane(hn::SumOfLanes(d64, lanes))) - 128 * (i - begin);
#endif
    for (; i < end; ++i) sum += wholes[i];
    *sums++ = static_cast<float>(sum);
  }
}

#if HWY_TARGET == HWY_SCALAR
template <int kBits>
HWY_INLINE int64_t UnpackVectors(const uint8_t*, int64_t, const int8_t*, int8_t*) {
  return 0;
}
#else
// Writes the wholes of a vector's codes of kBits, of which each byte holds those in its lowest kNow bits.
template <int kNow, int kBits, class D>
HWY_INLINE void StoreSplit(D d, hn::Vec<D> codes, hn::Vec<D> table, int8_t* wholes) {
  if constexpr (kNow == kBits) {
    hn::StoreU(hn::TableLookupBytes(table, codes), d, reinterpret_cast<uint8_t*>(wholes));
  } else {
    constexpr int kHalf = kNow / 2, kCodes = 16 * kHalf / kBits;
    const hn::Repartition<uint16_t, D> d16;  // Which has a shift.
    const auto mask = hn::Set(d, static_cast<uint8_t>((1 << kHalf) - 1)), low = hn::And(codes, mask);
    const auto high = hn::And(hn::BitCast(d, hn::ShiftRight<kHalf>(hn::BitCast(d16, codes))), mask);
    StoreSplit<kHalf, kBits>(d, hn::InterleaveLower(d, low, high), table, wholes);
    StoreSplit<kHalf, kBits>(d, hn::InterleaveUpper(d, low, high), table, wholes + kCodes);
  }
}

// Returns how many codes are done.
template <int kBits>
HWY_INLINE int64_t UnpackVectors(const uint8_t* bytes, int64_t n, const int8_t* table16, int8_t* wholes) {
  const hn::FixedTag<uint8_t, 16> d;
  const auto table = hn::LoadU(d, reinterpret_cast<const uint8_t*>(table16));
  constexpr int64_t kCodes = 16 * 8 / kBits;
  int64_t i = 0;
  for (; i + kCodes <= n; i += kCodes) StoreSplit<8, kBits>(d, hn::LoadU(d, bytes + i * kBits / 8), table, wholes + i);
  return i;
}
#endif

void FlipBytesOfTarget(const uint8_t* HWY_RESTRICT bytes, int64_t n, int8_t* HWY_RESTRICT wholes) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) wholes[i] = static_cast<int8_t>(bytes[i] ^ 0x80);
}

void SignSumsOfTarget(const uint8_t* HWY_RESTRICT bits, int64_t n, int64_t segment, float* HWY_RESTRICT sums) {
  for (int64_t begin = 0; begin < n; begin += segment) {
    const int64_t end = std::min(begin + segment, n);
    int64_t ones = 0, i = begin;
    for (; i + 64 <= end; i += 64) {
      uint64_t word;
      __builtin_memcpy(&word, bits + i / 8, sizeof(word));
      ones += std::popcount(word);
    }
    for (; i < end; i += 8) ones += std::popcount(bits[i / 8]);
    *sums++ = static_cast<float>(2 * ones - (end - begin));
  }
}

int32_t RoundToWholesOfTarget(const float* HWY_RESTRICT x, int64_t n, float factor, float shift,
                              int16_t* HWY_RESTRICT wholes) {
  const hn::ScalableTag<float> d;
  const hn::Rebind<int32_t, decltype(d)> d32;
  const hn::Rebind<int16_t, decltype(d)> d16;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  auto sums = hn::Zero(d32);
  int64_t i = 0;
  for (; i + step <= n; i += step) {
    const auto rounded = hn::NearestInt(hn::Sub(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor)), hn::Set(d, shift)));
    sums = hn::Add(sums, rounded);
    hn::StoreU(hn::DemoteTo(d16, rounded), d16, wholes + i);
  }
  int32_t sum = hn::GetLane(hn::SumOfLanes(d32, sums));
  for (; i < n; ++i) {
    wholes[i] = static_cast<int16_t>(std::lrint(x[i] * factor - shift));
    sum += wholes[i];
  }
  return sum;
}

void SplitSignsOfTarget(const int16_t* HWY_RESTRICT wholes, int64_t n, int planes, uint8_t* HWY_RESTRICT bits) {
  const auto largest = static_cast<int16_t>((1 << planes) - 1);
  const hn::ScalableTag<int16_t> d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  for (int p = 0; p < planes; ++p, bits += n / 8) {
    int64_t i = 0;
    const auto bit = static_cast<int16_t>(2 << p);  // Of twice the code.
    for (; step >= 8 && i + step <= n; i += step) {
      const auto twice = hn::Add(hn::LoadU(d, wholes + i), hn::Set(d, largest));
      hn::StoreMaskBits(d, hn::TestBit(twice, hn::Set(d, bit)), bits + i / 8);
    }
    for (; i < n; i += 8) {
      uint8_t byte = 0;
      for (int k = 0; k < 8; ++k) byte |= static_cast<uint8_t>(((wholes[i + k] + largest) & bit) != 0) << k;
      bits[i / 8] = byte;
    }
  }
}

void SpreadNibblesOfTarget(const uint8_t* HWY_RESTRICT bytes, int64_t n, uint8_t* HWY_RESTRICT nibbles) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    nibbles[2 * i] = static_cast<uint8_t>(bytes[i] << 4);
    nibbles[2 * i + 1] = bytes[i] & 0xF0;
  }
}

void ReadHalvesOfTarget(const uint8_t* bytes, int64_t n, float factor, float* HWY_RESTRICT numbers) {
  int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<float> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> d16;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  for (; i + step <= n; i += step) {
    const auto halves = hn::LoadU(d16, reinterpret_cast<const hwy::float16_t*>(bytes + 2 * i));
    hn::StoreU(hn::Mul(hn::PromoteTo(d, halves), hn::Set(d, factor)), d, numbers + i);
  }
#endif
  for (; i < n; ++i) {
    uint16_t half;
    __builtin_memcpy(&half, bytes + 2 * i, sizeof(half));
    numbers[i] = FloatFromHalf(half) * factor;
  }
}

void UnpackWholesOfTarget(const uint8_t* bytes, int64_t n, int bits, const int8_t* table, int8_t* wholes) {
  const int mask = (1 << bits) - 1;
  int64_t done = 0;
  if (bits == 1) done = UnpackVectors<1>(bytes, n, table, wholes);
  if (bits == 2) done = UnpackVectors<2>(bytes, n, table, wholes);
  if (bits == 4) done = UnpackVectors<4>(bytes, n, table, wholes);
  for (int64_t i = done; i < n; ++i) wholes[i] = table[bytes[i * bits / 8] >> (i * bits % 8) & mask];
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(SegmentSumsOfTarget);
HWY_EXPORT(SignSumsOfTarget);
HWY_EXPORT(RoundToWholesOfTarget);
HWY_EXPORT(SplitSignsOfTarget);
HWY_EXPORT(SpreadNibblesOfTarget);
HWY_EXPORT(FlipBytesOfTarget);
HWY_EXPORT(ReadHalvesOfTarget);
HWY_EXPORT(UnpackWholesOfTarget);

void SegmentSums(const int8_t* wholes, int64_t n, int64_t segment, float* sums) {
  HWY_DYNAMIC_DISPATCH(SegmentSumsOfTarget)(wholes, n, segment, sums);
}

void SignSums(const uint8_t* bits, int64_t n, int64_t segment, float* sums) {
  HWY_DYNAMIC_DISPATCH(SignSumsOfTarget)(bits, n, segment, sums);
}

int32_t RoundToWholes(const float* x, int64_t n, float factor, float shift, int16_t* wholes) {
  return HWY_DYNAMIC_DISPATCH(RoundToWholesOfTarget)(x, n, factor, shift, wholes);
}

void SplitSigns(const int16_t* wholes, int64_t n, int planes, uint8_t* bits) {
  HWY_DYNAMIC_DISPATCH(SplitSignsOfTarget)(wholes, n, planes, bits);
}

void SpreadNibbles(const uint8_t* bytes, int64_t n, uint8_t* nibbles) {
  HWY_DYNAMIC_DISPATCH(SpreadNibblesOfTarget)(bytes, n, nibbles);
}

void FlipBytes(const uint8_t* bytes, int64_t n, int8_t* wholes) {
  HWY_DYNAMIC_DISPATCH(FlipBytesOfTarget)(bytes, n, wholes);
}

namespace {

// Five digits less 1 of each byte, in eight bytes.
using TernaryTable = std::array<std::array<int8_t, 8>, 256>;
constexpr TernaryTable MakeTernaryTable() {
  TernaryTable table{};
  for (size_t byte = 0; byte < table.size(); ++byte)
    for (size_t i = 0, rest = byte; i < 5; ++i, rest /= 3) table[byte][i] = static_cast<int8_t>(rest % 3) - 1;
  return table;
}
constexpr TernaryTable kTernary = MakeTernaryTable();

}  // namespace

void UnpackTernary(const uint8_t* bytes, int64_t n, int8_t* wholes) {
  for (int64_t i = 0; i < n; i += 5) std::memcpy(wholes + i, kTernary[*bytes++].data(), 8);
}

void ReadHalves(const uint8_t* bytes, int64_t n, float factor, float* numbers) {
  HWY_DYNAMIC_DISPATCH(ReadHalvesOfTarget)(bytes, n, factor, numbers);
}

void UnpackWholes(const uint8_t* bytes, int64_t n, int bits, const int8_t* table, int8_t* wholes) {
  HWY_DYNAMIC_DISPATCH(UnpackWholesOfTarget)(bytes, n, bits, table, wholes);
}

}  // namespace ridgeline
#endif  // HWY_ONCE
