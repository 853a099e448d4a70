// SPDX-License-Identifier: Apache-2.0
#include "quant/packed/row_products.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/packed/row_products.cc"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR  // Which has no two numbers to add in a vector.
HWY_INLINE float Dot(const int8_t* HWY_RESTRICT w, const int16_t* HWY_RESTRICT x, int64_t n) {
  int32_t sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += w[i] * x[i];
  return static_cast<float>(sum);
}
#else
HWY_INLINE float Dot(const int8_t* HWY_RESTRICT w, const int16_t* HWY_RESTRICT x, int64_t n) {
  const hn::ScalableTag<int32_t> d32;
  const hn::Repartition<int16_t, decltype(d32)> d16;
  const hn::Rebind<int8_t, decltype(d16)> d8;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d16));
  auto sum0 = hn::Zero(d32), sum1 = hn::Zero(d32), sum2 = hn::Zero(d32), sum3 = hn::Zero(d32);
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto a = hn::PromoteTo(d16, hn::LoadU(d8, w + i)), b = hn::PromoteTo(d16, hn::LoadU(d8, w + i + lanes));
    sum0 = hn::ReorderWidenMulAccumulate(d32, a, hn::LoadU(d16, x + i), sum0, sum1);
    sum2 = hn::ReorderWidenMulAccumulate(d32, b, hn::LoadU(d16, x + i + lanes), sum2, sum3);
  }
  int32_t rest = 0;
  for (; i < n; ++i) rest += w[i] * x[i];
  const auto sum = hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3));
  return static_cast<float>(rest + hn::GetLane(hn::SumOfLanes(d32, sum)));
}
#endif

HWY_INLINE float Dot(const int8_t* HWY_RESTRICT w, const float* HWY_RESTRICT x, int64_t n) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> d32;
  const hn::Rebind<int8_t, decltype(d)> d8;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
  int64_t i = 0;
  const auto wide = [&](const int8_t* from)
                        HWY_ATTR { return hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(d8, from))); };
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    sum0 = hn::MulAdd(wide(w + i), hn::LoadU(d, x + i), sum0);
    sum1 = hn::MulAdd(wide(w + i + lanes), hn::LoadU(d, x + i + lanes), sum1);
  }
  float rest = 0;
  for (; i < n; ++i) rest += static_cast<float>(w[i]) * x[i];
  return rest + hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
}

HWY_INLINE float SumOfWholes(const int8_t* HWY_RESTRICT w, int64_t n) {
  int32_t sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += w[i];
  return static_cast<float>(sum);
}

template <typename X>
HWY_INLINE void Products(const PackedRow& row, const PackedInputs& inputs, const X* x, float* y, int64_t stride) {
  const int64_t features = inputs.features, segment = inputs.segment, segments = inputs.segments();
  for (int64_t c = 0; c < inputs.count; ++c) y[c * stride] = 0;
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t begin = s * segment, n = std::min(segment, features - begin);
    const int8_t* w = row.wholes + begin;
    const float scale = row.scales[s], base = row.bases[s];
    const float sum_of_w = inputs.bases != nullptr ? SumOfWholes(w, n) : 0;
    for (int64_t c = 0; c < inputs.count; ++c) {
      const int64_t at = c * segments + s;
      float product = Dot(w, x + c * features + begin, n);
      if constexpr (sizeof(X) == sizeof(int16_t)) product *= inputs.scales[at];
      if (inputs.bases != nullptr) product += inputs.bases[at] * sum_of_w;
      y[c * stride] += scale * product + base * inputs.sums[at];
    }
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
HWY_EXPORT(UnpackWholesOfTarget);

void RowProducts(const PackedRow& row, const PackedInputs& inputs, float* y, int64_t stride) {
  HWY_DYNAMIC_DISPATCH(RowProductsOfTarget)(row, inputs, y, stride);
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
