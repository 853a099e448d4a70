// SPDX-License-Identifier: Apache-2.0
// Signs four at a time: a row's four choose a table of 16, and one lookup in it tells for each of 64 inputs in how
// many of its own they differ. For machines that count bits no other way.
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

constexpr int64_t kVector = 32;  // Inputs of one.
constexpr int64_t kVectors = kNibbleLanes / kVector;
using DByte = hn::FixedTag<uint8_t, kVector>;
using DNumber = hn::FixedTag<float, 8>;
constexpr int64_t kMostNibbles = 56;  // Of sums that fit in a byte with its sign, 63 would.
constexpr size_t kRows = 4;           // Which share a read of inputs.
constexpr size_t kMostRows = kRowsAtOnce;

// Sums of products of rows with inputs.
struct alignas(64) Totals {
  float of[kMostRows][kNibbleLanes];
};

// Adds scale (scales[c] sums[c]) to the totals of a row.
HWY_INLINE void AddScaled(hn::Vec<DByte> sums, const float* HWY_RESTRICT scales, float scale,
                          float* HWY_RESTRICT totals) {
  const DNumber d;
  const hn::RebindToSigned<DNumber> d32;
  const hn::Rebind<int8_t, DNumber> d8;
  alignas(32) int8_t bytes[kVector];
  hn::Store(sums, DByte(), reinterpret_cast<uint8_t*>(bytes));
  const auto of_row = hn::Set(d, scale);
  for (int64_t c = 0; c < kVector; c += 8) {
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

// In how many bits nibbles of kCount rows and of inputs differ, less 2 for each nibble. REQUIRES: `count` is a multiple
// of 8, a word's, and no more than kMostNibbles.
template <int kCount, int kWanted>
HWY_INLINE void CountNibbles(const uint8_t* const* rows, const uint8_t* HWY_RESTRICT x, int64_t count,
                             hn::Vec<DByte> (*HWY_RESTRICT sums)[kWanted]) {
  const DByte d;
  const auto* tables = reinterpret_cast<const uint8_t*>(kDifferences.of);
  for (int r = 0; r < kCount; ++r)
    for (int v = 0; v < kWanted; ++v) sums[r][v] = hn::Zero(d);
  for (int64_t k = 0; k < count; k += 8) {  // Few turns of a loop are foreseen by the machine.
    const auto add = [&](int64_t n) HWY_ATTR {
      hn::Vec<DByte> inputs[kWanted];
      for (int v = 0; v < kWanted; ++v) inputs[v] = hn::LoadU(d, x + n * kNibbleLanes + v * kVector);
      for (int r = 0; r < kCount; ++r) {
        const hn::Vec<DByte> table = hn::LoadDup128(d, tables + rows[r][n]);
        for (int v = 0; v < kWanted; ++v) {
          sums[r][v] = hn::Add(sums[r][v], hn::TableLookupBytes(table, inputs[v]));
          KeepOrder(sums[r][v]);
        }
      }
    };
    add(k), add(k + 1), add(k + 2), add(k + 3), add(k + 4), add(k + 5), add(k + 6), add(k + 7);
  }
}

// Of kCount rows and kWanted vectors of inputs, of one segment.
template <int kCount, int kWanted>
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
        hn::Vec<DByte> sums[kCount][kWanted];
        CountNibbles<kCount, kWanted>(w, x + (q * nibbles + k) * kNibbleLanes, std::min(end - k, kMostNibbles), sums);
        const float factor = -2.0f * static_cast<float>(1 << (p + q));
        for (int r = 0; r < kCount; ++r)
          for (int v = 0; v < kWanted; ++v)
            AddScaled(sums[r][v], inputs.scales + at + v * kVector, factor * rows[r].scales[s],
                      totals[r] + v * kVector);
      }
  if (rows->bases != nullptr)
    for (int r = 0; r < kCount; ++r) AddScaled(inputs.sums + at, rows[r].bases[s], totals[r]);
  if (inputs.bases != nullptr)
    for (int r = 0; r < kCount; ++r) AddScaled(inputs.bases + at, rows[r].scales[s] * rows[r].sums[s], totals[r]);
}

// y[c * stride + r] = totals[r][c]: four by four, so that numbers that lie side by side are written at once.
HWY_INLINE void StoreTransposed(const Totals& totals, int64_t rows, int64_t count, float* y, int64_t stride) {
  const hn::FixedTag<float, 4> d;
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4)
    for (int64_t c = 0; c < count; c += 4) {
      const auto a = hn::Load(d, totals.of[r] + c), b = hn::Load(d, totals.of[r + 1] + c);
      const auto e = hn::Load(d, totals.of[r + 2] + c), f = hn::Load(d, totals.of[r + 3] + c);
      const auto ae = hn::InterleaveLower(d, a, e), bf = hn::InterleaveLower(d, b, f);
      const auto ae_upper = hn::InterleaveUpper(d, a, e), bf_upper = hn::InterleaveUpper(d, b, f);
      float* to = y + c * stride + r;
      hn::StoreU(hn::InterleaveLower(d, ae, bf), d, to);
      if (c + 1 < count) hn::StoreU(hn::InterleaveUpper(d, ae, bf), d, to + stride);
      if (c + 2 < count) hn::StoreU(hn::InterleaveLower(d, ae_upper, bf_upper), d, to + 2 * stride);
      if (c + 3 < count) hn::StoreU(hn::InterleaveUpper(d, ae_upper, bf_upper), d, to + 3 * stride);
    }
  for (; r < rows; ++r)
    for (int64_t c = 0; c < count; ++c) y[c * stride + r] = totals.of[r][c];
}

// Segment by segment through all rows, whose inputs then lie in the innermost cache.
template <int kWanted>
HWY_INLINE void MultiplyLanes(std::span<const PackedRow> rows, const PackedInputs& inputs, int64_t first, float* y,
                              int64_t stride) {
  Totals totals;
  std::fill_n(totals.of[0], rows.size() * kNibbleLanes, 0.0f);
  const size_t whole_tiles = rows.size() / kRows * kRows;
  for (int64_t s = 0; s < inputs.segments; ++s) {
    for (size_t r = 0; r < whole_tiles; r += kRows)
      AddSegment<kRows, kWanted>(&rows[r], inputs, first, s, &totals.of[r]);
    for (size_t r = whole_tiles; r < rows.size(); ++r)
      AddSegment<1, kWanted>(&rows[r], inputs, first, s, &totals.of[r]);
  }
  StoreTransposed(totals, static_cast<int64_t>(rows.size()), std::min(kNibbleLanes, inputs.count - first),
                  y + first * stride, stride);
}

void NibbleProductsOfTarget(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  for (int64_t first = 0; first < inputs.count; first += kNibbleLanes) {
    if (inputs.count - first > kVector)
      MultiplyLanes<kVectors>(rows, inputs, first, y, stride);
    else
      MultiplyLanes<1>(rows, inputs, first, y, stride);
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
