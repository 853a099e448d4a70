// SPDX-License-Identifier: Apache-2.0
// Signs four at a time: a row's four choose a table of 16, and one lookup in it tells for 32 inputs in how many of
// theirs they differ. For machines that count bits no other way.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

#include "quant/packed/row_products.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/packed/nibble_products.cc"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#ifndef RIDGELINE_QUANT_PACKED_DIFFERENCES_
#define RIDGELINE_QUANT_PACKED_DIFFERENCES_
namespace ridgeline {

// For each nibble of a row and each of an input in how many bits they differ, less 2: the products' sum is -2 of that.
struct alignas(64) Differences {
  int8_t of[16][16];
};
constexpr Differences MakeDifferences() {
  Differences table{};
  for (unsigned w = 0; w < 16; ++w)
    for (unsigned x = 0; x < 16; ++x) table.of[w][x] = static_cast<int8_t>(std::popcount(w ^ x) - 2);
  return table;
}
inline constexpr Differences kDifferences = MakeDifferences();

}  // namespace ridgeline
#endif

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
constexpr bool kUsesNibbles = true;

using DByte = hn::FixedTag<uint8_t, kNibbleLanes>;
using DNumber = hn::FixedTag<float, 8>;
constexpr int64_t kMostNibbles = 56;  // Of sums that fit in a byte with its sign, 63 would.
constexpr size_t kRows = 8;           // Which share a read of inputs.
constexpr size_t kMostRows = kRowsAtOnce;

// Sums of products of rows with 32 inputs.
struct alignas(64) Totals {
  float of[kMostRows][kNibbleLanes];
};

// Adds scale (scales[c] sums[c]) to the totals of a row.
HWY_INLINE void AddScaled(hn::Vec<DByte> sums, const float* HWY_RESTRICT scales, float scale,
                          float* HWY_RESTRICT totals) {
  const DNumber d;
  const hn::RebindToSigned<DNumber> d32;
  const hn::Rebind<int8_t, DNumber> d8;
  alignas(32) int8_t bytes[kNibbleLanes];
  hn::Store(sums, DByte(), reinterpret_cast<uint8_t*>(bytes));
  const auto of_row = hn::Set(d, scale);
  for (int64_t c = 0; c < kNibbleLanes; c += 8) {
    const auto products = hn::ConvertTo(d, hn::PromoteTo(d32, hn::Load(d8, bytes + c)));
    const auto scaled = hn::Mul(products, hn::LoadU(d, scales + c));
    hn::Store(hn::MulAdd(of_row, scaled, hn::Load(d, totals + c)), d, totals + c);
  }
}

// Adds scale numbers[c] to the totals of a row.
HWY_INLINE void AddScaled(const float* HWY_RESTRICT numbers, float scale, float* HWY_RESTRICT totals) {
  const DNumber d;
  const auto of_row = hn::Set(d, scale);
  for (int64_t c = 0; c < kNibbleLanes; c += 8)
    hn::Store(hn::MulAdd(of_row, hn::LoadU(d, numbers + c), hn::Load(d, totals + c)), d, totals + c);
}

// Lookups and additions take turns, as written: a compiler that gathers the lookups runs out of registers for them.
HWY_INLINE void KeepOrder(hn::Vec<DByte>& sum) { asm volatile("" : "+x"(sum.raw)); }

// In how many bits nibbles of kCount rows and of 32 inputs differ, less 2 for each nibble. REQUIRES: `count` is a
// multiple of 8, a word's, and no more than kMostNibbles.
template <int kCount>
HWY_INLINE void CountNibbles(const uint8_t* const* rows, const uint8_t* HWY_RESTRICT x, int64_t count,
                             hn::Vec<DByte>* HWY_RESTRICT sums) {
  const DByte d;
  const auto* tables = reinterpret_cast<const uint8_t*>(kDifferences.of);
  for (int r = 0; r < kCount; ++r) sums[r] = hn::Zero(d);
  for (int64_t k = 0; k < count; k += 8) {  // Few turns of a loop are foreseen by the machine.
    const auto add = [&](int64_t n) HWY_ATTR {
      const auto inputs = hn::LoadU(d, x + n * kNibbleLanes);
      for (int r = 0; r < kCount; ++r) {
        sums[r] = hn::Add(sums[r], hn::TableLookupBytes(hn::LoadDup128(d, tables + rows[r][n]), inputs));
        KeepOrder(sums[r]);
      }
    };
    add(k), add(k + 1), add(k + 2), add(k + 3), add(k + 4), add(k + 5), add(k + 6), add(k + 7);
  }
}

// Of kCount rows, of one segment.
template <int kCount>
HWY_INLINE void AddSegment(const PackedRow* rows, const PackedInputs& inputs, int64_t first, int64_t s,
                           float (*totals)[kNibbleLanes]) {
  const int64_t nibbles = inputs.features / 4, begin = s * inputs.segment / 4;
  const int64_t end = std::min(begin + inputs.segment / 4, nibbles), at = s * inputs.segment_stride + first;
  const uint8_t* x = static_cast<const uint8_t*>(inputs.arranged) + first * inputs.input_planes * nibbles;
  for (int p = 0; p < inputs.weight_planes; ++p)
    for (int q = 0; q < inputs.input_planes; ++q)
      for (int64_t k = begin; k < end; k += kMostNibbles) {
        const uint8_t* w[kCount];
        for (int r = 0; r < kCount; ++r) w[r] = static_cast<const uint8_t*>(rows[r].numbers) + p * nibbles + k;
        hn::Vec<DByte> sums[kCount];
        CountNibbles<kCount>(w, x + (q * nibbles + k) * kNibbleLanes, std::min(end - k, kMostNibbles), sums);
        const float factor = -2.0f * static_cast<float>(1 << (p + q));
        for (int r = 0; r < kCount; ++r) AddScaled(sums[r], inputs.scales + at, factor * rows[r].scales[s], totals[r]);
      }
  if (rows->bases != nullptr)
    for (int r = 0; r < kCount; ++r) AddScaled(inputs.sums + at, rows[r].bases[s], totals[r]);
  if (inputs.bases != nullptr)
    for (int r = 0; r < kCount; ++r) AddScaled(inputs.bases + at, rows[r].scales[s] * rows[r].sums[s], totals[r]);
}

// Segment by segment through all rows, whose inputs then lie in the innermost cache.
void NibbleProductsOfTarget(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  const size_t whole_tiles = rows.size() / kRows * kRows;
  for (int64_t first = 0; first < inputs.count; first += kNibbleLanes) {
    Totals totals;
    std::fill_n(totals.of[0], rows.size() * kNibbleLanes, 0.0f);
    for (int64_t s = 0; s < inputs.segments; ++s) {
      for (size_t r = 0; r < whole_tiles; r += kRows) AddSegment<kRows>(&rows[r], inputs, first, s, &totals.of[r]);
      for (size_t r = whole_tiles; r < rows.size(); ++r) AddSegment<1>(&rows[r], inputs, first, s, &totals.of[r]);
    }
    const int64_t count = std::min(kNibbleLanes, inputs.count - first);
    for (int64_t c = 0; c < count; ++c)
      for (size_t r = 0; r < rows.size(); ++r) y[(first + c) * stride + static_cast<int64_t>(r)] = totals.of[r][c];
  }
}
#else
constexpr bool kUsesNibbles = false;
void NibbleProductsOfTarget(std::span<const PackedRow>, const PackedInputs&, float*, int64_t) {}
#endif

bool UsesNibblesOfTarget() { return kUsesNibbles; }

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(NibbleProductsOfTarget);
HWY_EXPORT(UsesNibblesOfTarget);

void NibbleProducts(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  HWY_DYNAMIC_DISPATCH(NibbleProductsOfTarget)(rows, inputs, y, stride);
}

bool UsesNibbles() { return HWY_DYNAMIC_DISPATCH(UsesNibblesOfTarget)(); }

}  // namespace ridgeline
#endif  // HWY_ONCE
