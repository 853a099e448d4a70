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

// Bytes without a sign times bytes with one, two products to a 16-bit sum. Where there is no such instruction, or it
// was not worth an own path, kHasBytePairs is false.
#if HWY_TARGET == HWY_AVX2
constexpr bool kHasBytePairs = true;
HWY_INLINE hn::Vec256<int16_t> BytePairs(hn::Vec256<uint8_t> a, hn::Vec256<int8_t> b) {
  return hn::Vec256<int16_t>{_mm256_maddubs_epi16(a.raw, b.raw)};
}
#elif HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
constexpr bool kHasBytePairs = true;
HWY_INLINE hn::Vec512<int16_t> BytePairs(hn::Vec512<uint8_t> a, hn::Vec512<int8_t> b) {
  return hn::Vec512<int16_t>{_mm512_maddubs_epi16(a.raw, b.raw)};
}
#else
constexpr bool kHasBytePairs = false;
#endif

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
  const int64_t segments = inputs.segments(), count = inputs.count;
  const float* HWY_RESTRICT sums = inputs.sums + c;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t s = 0; s < segments; ++s) sum += row.bases[s] * sums[s * count];
  if (inputs.bases == nullptr) return sum;
  const float* HWY_RESTRICT bases = inputs.bases + c;
#pragma omp simd reduction(+ : sum)
  for (int64_t s = 0; s < segments; ++s) sum += row.scales[s] * bases[s * count] * row.sums[s];
  return sum;
}

// What inputs are multiplied as.
enum class InputKind { kFloats, kWholes, kBytes };

// A row times kInputs rows of x from the first on.
template <InputKind kKind, int kInputs>
HWY_INLINE void ProductsOf(const PackedRow& row, const PackedInputs& inputs, int64_t first, float* y, int64_t stride) {
  RowSums<kInputs> sums;
  const int64_t segments = inputs.segments(), features = inputs.features;
  float scales[kInputs];
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t begin = s * inputs.segment, n = std::min(inputs.segment, features - begin);
    const int64_t at = first * features + begin;
    for (int c = 0; c < kInputs; ++c) {
      scales[c] = row.scales[s];
      if constexpr (kKind != InputKind::kFloats) scales[c] *= inputs.scales[s * inputs.count + first + c];
    }
    if constexpr (kKind == InputKind::kFloats)
      sums.Add(row.wholes + begin, inputs.numbers + at, features, n, scales);
    else
      sums.Add(row.wholes + begin, inputs.wholes + at, features, n, scales);
  }
  for (int c = 0; c < kInputs; ++c) y[(first + c) * stride] = sums.Sum(c) + SumOfBases(row, inputs, first + c);
}

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
// Four vectors' sums in one.
HWY_INLINE hn::Vec128<int32_t> SumsOfFour(hn::Vec256<int32_t> a, hn::Vec256<int32_t> b, hn::Vec256<int32_t> c,
                                          hn::Vec256<int32_t> d) {
  const __m256i sums = _mm256_hadd_epi32(_mm256_hadd_epi32(a.raw, b.raw), _mm256_hadd_epi32(c.raw, d.raw));
  return hn::Vec128<int32_t>{_mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1))};
}
#if HWY_TARGET != HWY_AVX2
HWY_INLINE hn::Vec128<int32_t> SumsOfFour(hn::Vec512<int32_t> a, hn::Vec512<int32_t> b, hn::Vec512<int32_t> c,
                                          hn::Vec512<int32_t> d) {
  const hn::Half<hn::ScalableTag<int32_t>> half;
  const auto fold = [&](hn::Vec512<int32_t> v)
                        HWY_ATTR { return hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)); };
  return SumsOfFour(fold(a), fold(b), fold(c), fold(d));
}
#endif

// A segment's products of bytes with four rows of x, `stride` apart: of W + least.
HWY_INLINE hn::Vec128<int32_t> ByteSums(const int8_t* HWY_RESTRICT w, const PackedBytes& bytes,
                                        const int8_t* HWY_RESTRICT x, int64_t stride, int64_t n) {
  const hn::ScalableTag<int32_t> d32;
  const hn::ScalableTag<int16_t> d16;
  const hn::ScalableTag<int8_t> d8;
  const hn::ScalableTag<uint8_t> du8;
  const auto step = static_cast<int64_t>(hn::Lanes(d8));
  const auto least = hn::Set(d8, static_cast<int8_t>(bytes.least));
  const auto ones = hn::Set(d16, int16_t{1});
  auto s0 = hn::Zero(d32), s1 = s0, s2 = s0, s3 = s0, others = s0;  // Pairs are added at once: `others` stays 0.
  int64_t i = 0;
  while (i + step <= n) {
    auto n0 = hn::Zero(d16), n1 = n0, n2 = n0, n3 = n0;
    const int64_t end = std::min(n, i + bytes.additions * step);
    for (; i + step <= end; i += step) {
      const auto a = hn::BitCast(du8, hn::Add(hn::LoadU(d8, w + i), least));
      n0 = hn::Add(n0, BytePairs(a, hn::LoadU(d8, x + i)));
      n1 = hn::Add(n1, BytePairs(a, hn::LoadU(d8, x + stride + i)));
      n2 = hn::Add(n2, BytePairs(a, hn::LoadU(d8, x + 2 * stride + i)));
      n3 = hn::Add(n3, BytePairs(a, hn::LoadU(d8, x + 3 * stride + i)));
    }
    s0 = hn::ReorderWidenMulAccumulate(d32, n0, ones, s0, others);
    s1 = hn::ReorderWidenMulAccumulate(d32, n1, ones, s1, others);
    s2 = hn::ReorderWidenMulAccumulate(d32, n2, ones, s2, others);
    s3 = hn::ReorderWidenMulAccumulate(d32, n3, ones, s3, others);
  }
  auto sums = SumsOfFour(s0, s1, s2, s3);
  if (i == n) return sums;
  const hn::FixedTag<int32_t, 4> d4;
  for (; i < n; ++i) {
    const int32_t numbers[4] = {x[i], x[stride + i], x[2 * stride + i], x[3 * stride + i]};
    sums = hn::Add(sums, hn::Mul(hn::Set(d4, w[i] + bytes.least), hn::LoadU(d4, numbers)));
  }
  return sums;
}

// A row times four rows of x from the first on, all that belongs to a segment of them in a vector.
HWY_INLINE void ProductsOfBytes(const PackedRow& row, const PackedInputs& inputs, int64_t first, float* y,
                                int64_t stride) {
  const hn::FixedTag<float, 4> d;
  const hn::FixedTag<int32_t, 4> d32;
  const int64_t segments = inputs.segments(), features = inputs.features;
  const auto least = hn::Set(d32, inputs.bytes.least);
  auto total = hn::Zero(d);
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t begin = s * inputs.segment, n = std::min(inputs.segment, features - begin);
    const int64_t at = s * inputs.count + first;
    const auto raised =
        ByteSums(row.wholes + begin, inputs.bytes, inputs.bytes.wholes + first * features + begin, features, n);
    const auto wholes = hn::Sub(raised, hn::Mul(least, hn::LoadU(d32, inputs.bytes.sums + at)));
    const auto scale = hn::Set(d, row.scales[s]);
    auto sums = hn::Mul(hn::ConvertTo(d, wholes), hn::LoadU(d, inputs.scales + at));
    if (inputs.bases != nullptr) sums = hn::MulAdd(hn::Set(d, row.sums[s]), hn::LoadU(d, inputs.bases + at), sums);
    total = hn::MulAdd(scale, sums, total);
    total = hn::MulAdd(hn::Set(d, row.bases[s]), hn::LoadU(d, inputs.sums + at), total);
  }
  float products[4];
  hn::StoreU(total, d, products);
  for (int c = 0; c < 4; ++c) y[(first + c) * stride] = products[c];
}
#else
HWY_INLINE void ProductsOfBytes(const PackedRow&, const PackedInputs&, int64_t, float*, int64_t) {}
#endif

// Inputs are taken four at a time through all rows, so that they lie in the innermost cache for all but the first.
template <InputKind kKind>
HWY_INLINE void Products(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  constexpr int kAtOnce = 4;
  int64_t c = 0;
  for (; c + kAtOnce <= inputs.count; c += kAtOnce)
    for (size_t r = 0; r < rows.size(); ++r) {
      if constexpr (kKind == InputKind::kBytes)
        ProductsOfBytes(rows[r], inputs, c, y + r, stride);
      else
        ProductsOf<kKind, kAtOnce>(rows[r], inputs, c, y + r, stride);
    }
  for (; c < inputs.count; ++c)
    for (size_t r = 0; r < rows.size(); ++r) ProductsOf<kKind, 1>(rows[r], inputs, c, y + r, stride);
}

void RowProductsOfTarget(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  if (inputs.wholes == nullptr) return Products<InputKind::kFloats>(rows, inputs, y, stride);
  if (kHasBytePairs && inputs.bytes.wholes != nullptr) return Products<InputKind::kBytes>(rows, inputs, y, stride);
  Products<InputKind::kWholes>(rows, inputs, y, stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(RowProductsOfTarget);

void RowProducts(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  HWY_DYNAMIC_DISPATCH(RowProductsOfTarget)(rows, inputs, y, stride);
}

namespace {

float ProductOf_ref(const PackedRow& row, const PackedInputs& inputs, int64_t c) {
  double sum = 0;
  for (int64_t i = 0; i < inputs.features; ++i) {
    const int64_t s = i / inputs.segment, at = s * inputs.count + c;
    const double w = static_cast<double>(row.scales[s]) * row.wholes[i] + row.bases[s];
    double x = inputs.wholes == nullptr
                   ? inputs.numbers[c * inputs.features + i]
                   : static_cast<double>(inputs.scales[at]) * inputs.wholes[c * inputs.features + i];
    if (inputs.wholes != nullptr && inputs.bases != nullptr) x += inputs.bases[at];
    sum += w * x;
  }
  return static_cast<float>(sum);
}

}  // namespace

void RowProducts_ref(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  for (int64_t c = 0; c < inputs.count; ++c)
    for (size_t r = 0; r < rows.size(); ++r)
      y[c * stride + static_cast<int64_t>(r)] = ProductOf_ref(rows[r], inputs, c);
}

}  // namespace ridgeline
#endif  // HWY_ONCE
