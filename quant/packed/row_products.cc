// SPDX-License-Identifier: Apache-2.0
#include "quant/packed/row_products.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/packed/row_products.cc"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Adds a segment's products with kInputs rows of x, `stride` apart, to what was added before: lane by lane, and what is
// left of the segment behind full vectors to `rest`. Weights are widened once for all inputs, and lanes are summed once
// a row.
template <int kInputs>
struct RowSums {
  const hn::ScalableTag<float> d;
  hn::Vec<hn::ScalableTag<float>> lanes[kInputs];
  float rest[kInputs];

  HWY_INLINE RowSums() {
    for (int c = 0; c < kInputs; ++c) {
      lanes[c] = hn::Zero(d);
      rest[c] = 0;
    }
  }

  // scales[c]: of weights and of input c.
  HWY_INLINE void Add(const int8_t* HWY_RESTRICT w, const int16_t* HWY_RESTRICT x, int64_t stride, int64_t n,
                      const float* scales) {
    int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR  // Which has no two numbers to add in a vector.
    const hn::RebindToSigned<decltype(d)> d32;
    const hn::Repartition<int16_t, decltype(d32)> d16;
    const hn::Rebind<int8_t, decltype(d16)> d8;
    const auto step = static_cast<int64_t>(hn::Lanes(d16));
    // Two chains of each: an addition is waited for. The last is for where pairs are not added at once.
    hn::Vec<decltype(d32)> even[kInputs], odd[kInputs], others[kInputs];
    for (int c = 0; c < kInputs; ++c) even[c] = odd[c] = others[c] = hn::Zero(d32);
    for (; i + 2 * step <= n; i += 2 * step) {
      const auto a = hn::PromoteTo(d16, hn::LoadU(d8, w + i)), b = hn::PromoteTo(d16, hn::LoadU(d8, w + i + step));
      for (int c = 0; c < kInputs; ++c) {
        const int16_t* from = x + c * stride + i;
        even[c] = hn::ReorderWidenMulAccumulate(d32, a, hn::LoadU(d16, from), even[c], others[c]);
        odd[c] = hn::ReorderWidenMulAccumulate(d32, b, hn::LoadU(d16, from + step), odd[c], others[c]);
      }
    }
    for (int c = 0; c < kInputs; ++c) {
      const auto sum = hn::ConvertTo(d, hn::Add(hn::Add(even[c], odd[c]), others[c]));
      lanes[c] = hn::MulAdd(sum, hn::Set(d, scales[c]), lanes[c]);
    }
#endif
    for (int c = 0; c < kInputs && i < n; ++c) {
      int32_t sum = 0;
      for (int64_t k = i; k < n; ++k) sum += w[k] * x[c * stride + k];
      rest[c] += scales[c] * static_cast<float>(sum);
    }
  }

  HWY_INLINE void Add(const int8_t* HWY_RESTRICT w, const float* HWY_RESTRICT x, int64_t stride, int64_t n,
                      const float* scales) {
    const hn::RebindToSigned<decltype(d)> d32;
    const hn::Rebind<int8_t, decltype(d)> d8;
    const auto step = static_cast<int64_t>(hn::Lanes(d));
    const auto wide = [&](const int8_t* from)
                          HWY_ATTR { return hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(d8, from))); };
    hn::Vec<hn::ScalableTag<float>> even[kInputs], odd[kInputs];
    for (int c = 0; c < kInputs; ++c) even[c] = odd[c] = hn::Zero(d);
    int64_t i = 0;
    for (; i + 2 * step <= n; i += 2 * step) {
      const auto a = wide(w + i), b = wide(w + i + step);
      for (int c = 0; c < kInputs; ++c) {
        const float* from = x + c * stride + i;
        even[c] = hn::MulAdd(a, hn::LoadU(d, from), even[c]);
        odd[c] = hn::MulAdd(b, hn::LoadU(d, from + step), odd[c]);
      }
    }
    for (int c = 0; c < kInputs; ++c) {
      lanes[c] = hn::MulAdd(hn::Add(even[c], odd[c]), hn::Set(d, scales[c]), lanes[c]);
      for (int64_t k = i; k < n; ++k) rest[c] += scales[c] * static_cast<float>(w[k]) * x[c * stride + k];
    }
  }

  HWY_INLINE float Sum(int c) const { return hn::GetLane(hn::SumOfLanes(d, lanes[c])) + rest[c]; }
};

// What offsets of weights and of inputs add to the product with input c.
HWY_INLINE float SumOfBases(const PackedRow& row, const PackedInputs& inputs, int64_t c) {
  const int64_t segments = inputs.segments();
  const float* HWY_RESTRICT sums = inputs.sums + c * segments;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t s = 0; s < segments; ++s) sum += row.bases[s] * sums[s];
  if (inputs.bases == nullptr) return sum;
  const float* HWY_RESTRICT bases = inputs.bases + c * segments;
#pragma omp simd reduction(+ : sum)
  for (int64_t s = 0; s < segments; ++s) sum += row.scales[s] * bases[s] * row.sums[s];
  return sum;
}

// Of kInputs rows of x from the first on.
template <int kInputs, typename X>
HWY_INLINE void ProductsOf(const PackedRow& row, const PackedInputs& inputs, const X* x, int64_t first, float* y,
                           int64_t stride) {
  RowSums<kInputs> sums;
  const int64_t segments = inputs.segments(), features = inputs.features;
  float scales[kInputs];
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t begin = s * inputs.segment, n = std::min(inputs.segment, features - begin);
    for (int c = 0; c < kInputs; ++c) {
      scales[c] = row.scales[s];
      if constexpr (sizeof(X) == sizeof(int16_t)) scales[c] *= inputs.scales[(first + c) * segments + s];
    }
    sums.Add(row.wholes + begin, x + first * features + begin, features, n, scales);
  }
  for (int c = 0; c < kInputs; ++c) y[(first + c) * stride] = sums.Sum(c) + SumOfBases(row, inputs, first + c);
}

template <typename X>
HWY_INLINE void Products(const PackedRow& row, const PackedInputs& inputs, const X* x, float* y, int64_t stride) {
  constexpr int kAtOnce = 4;
  int64_t c = 0;
  for (; c + kAtOnce <= inputs.count; c += kAtOnce) ProductsOf<kAtOnce>(row, inputs, x, c, y, stride);
  for (; c < inputs.count; ++c) ProductsOf<1>(row, inputs, x, c, y, stride);
}

void SegmentSumsOfTarget(const int8_t* HWY_RESTRICT wholes, int64_t n, int64_t segment, float* HWY_RESTRICT sums) {
  for (int64_t begin = 0; begin < n; begin += segment) {
    int32_t sum = 0;
    const int64_t end = std::min(begin + segment, n);
#pragma omp simd reduction(+ : sum)
    for (int64_t i = begin; i < end; ++i) sum += wholes[i];
    *sums++ = static_cast<float>(sum);
  }
}

void RowProductsOfTarget(const PackedRow& row, const PackedInputs& inputs, float* y, int64_t stride) {
  if (inputs.wholes != nullptr) return Products(row, inputs, inputs.wholes, y, stride);
  Products(row, inputs, inputs.numbers, y, stride);
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

void ReadHalvesOfTarget(const uint8_t* bytes, int64_t n, float factor, float* HWY_RESTRICT numbers) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
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

HWY_EXPORT(RowProductsOfTarget);
HWY_EXPORT(SegmentSumsOfTarget);
HWY_EXPORT(FlipBytesOfTarget);
HWY_EXPORT(ReadHalvesOfTarget);
HWY_EXPORT(UnpackWholesOfTarget);

void RowProducts(const PackedRow& row, const PackedInputs& inputs, float* y, int64_t stride) {
  HWY_DYNAMIC_DISPATCH(RowProductsOfTarget)(row, inputs, y, stride);
}

void SegmentSums(const int8_t* wholes, int64_t n, int64_t segment, float* sums) {
  HWY_DYNAMIC_DISPATCH(SegmentSumsOfTarget)(wholes, n, segment, sums);
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

void RowProducts_ref(const PackedRow& row, const PackedInputs& inputs, float* y, int64_t stride) {
  for (int64_t c = 0; c < inputs.count; ++c) {
    double sum = 0;
    for (int64_t i = 0; i < inputs.features; ++i) {
      const int64_t s = i / inputs.segment, at = c * inputs.segments() + s;
      const double w = static_cast<double>(row.scales[s]) * row.wholes[i] + row.bases[s];
      double x = inputs.wholes == nullptr
                     ? inputs.numbers[c * inputs.features + i]
                     : static_cast<double>(inputs.scales[at]) * inputs.wholes[c * inputs.features + i];
      if (inputs.wholes != nullptr && inputs.bases != nullptr) x += inputs.bases[at];
      sum += w * x;
    }
    y[c * stride] = static_cast<float>(sum);
  }
}

}  // namespace ridgeline
#endif  // HWY_ONCE
