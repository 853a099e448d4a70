// SPDX-License-Identifier: Apache-2.0
// Many inputs, each in a lane of its own: a word of a row's numbers is spread over the lanes and meets a word of each
// input, so that no lanes are summed until a segment ends, and then one by one.
#include <algorithm>

#include "quant/packed/row_products.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/packed/lane_products.cc"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using DWord = hn::CappedTag<int32_t, kLanes>;
using DNumber = hn::Rebind<float, DWord>;
using Word = hn::Vec<DWord>;
using Number = hn::Vec<DNumber>;

constexpr int kRows = 4;  // Which share a read of inputs.

HWY_INLINE Word Spread(const uint8_t* word) {
  int32_t bits;
  __builtin_memcpy(&bits, word, sizeof(bits));
  return hn::Set(DWord(), bits);
}

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
#if HWY_TARGET == HWY_AVX2
HWY_INLINE Word SumsOfPairs(hn::Vec256<int16_t> pairs) {
  return Word{_mm256_madd_epi16(pairs.raw, _mm256_set1_epi16(1))};
}
HWY_INLINE hn::Vec256<int16_t> BytePairs(Word w, Word x) {
  return hn::Vec256<int16_t>{_mm256_maddubs_epi16(w.raw, x.raw)};
}
#else
HWY_INLINE Word SumsOfPairs(hn::Vec512<int16_t> pairs) {
  return Word{_mm512_madd_epi16(pairs.raw, _mm512_set1_epi16(1))};
}
HWY_INLINE hn::Vec512<int16_t> BytePairs(Word w, Word x) {
  return hn::Vec512<int16_t>{_mm512_maddubs_epi16(w.raw, x.raw)};
}
#endif

// Bits that differ, counted in each byte of a lane.
struct CountedBits {
  using Sum = hn::Vec<hn::Repartition<uint8_t, DWord>>;
  static constexpr int64_t kMostWords = 31;  // A byte counts to 255.

  HWY_INLINE Sum Zero() const { return hn::Zero(hn::Repartition<uint8_t, DWord>()); }
  HWY_INLINE Sum Add(Sum sum, Word w, Word x) const {
    return hn::Add(sum, hn::PopulationCount(hn::BitCast(hn::Repartition<uint8_t, DWord>(), hn::Xor(w, x))));
  }
  HWY_INLINE Word Total(Sum sum) const {
    const hn::Repartition<uint8_t, DWord> d8;
    return SumsOfPairs(BytePairs(hn::BitCast(DWord(), sum), hn::BitCast(DWord(), hn::Set(d8, uint8_t{1}))));
  }
  int64_t most_words(const PackedInputs&) const { return kMostWords; }
};

// Products of four bytes.
struct ByteProducts {
  using Sum = hn::Vec<hn::Repartition<int16_t, DWord>>;

  HWY_INLINE Sum Zero() const { return hn::Zero(hn::Repartition<int16_t, DWord>()); }
  HWY_INLINE Sum Add(Sum sum, Word w, Word x) const { return hn::Add(sum, BytePairs(w, x)); }
  HWY_INLINE Word Total(Sum sum) const { return SumsOfPairs(sum); }
  int64_t most_words(const PackedInputs& inputs) const { return inputs.additions; }
};
#else
struct CountedBits {
  using Sum = Word;

  HWY_INLINE Sum Zero() const { return hn::Zero(DWord()); }
  HWY_INLINE Sum Add(Sum sum, Word w, Word x) const { return hn::Add(sum, hn::PopulationCount(hn::Xor(w, x))); }
  HWY_INLINE Word Total(Sum sum) const { return sum; }
  int64_t most_words(const PackedInputs& inputs) const { return inputs.features; }
};

struct ByteProducts {
  using Sum = Word;

  HWY_INLINE Sum Zero() const { return hn::Zero(DWord()); }
#if HWY_TARGET == HWY_AVX3_DL
  HWY_INLINE Sum Add(Sum sum, Word w, Word x) const { return Word{_mm512_dpbusd_epi32(sum.raw, w.raw, x.raw)}; }
#else
  HWY_INLINE Sum Add(Sum sum, Word w, Word x) const {
    const hn::RebindToUnsigned<DWord> du;
    for (int byte = 0; byte < 4; ++byte) {  // Which the shifts bring up to the top, and then down.
      const auto bits = hn::And(hn::BitCast(du, w), hn::Set(du, 0xffu));
      const Word top = hn::ShiftLeft<24>(x);
      sum = hn::Add(sum, hn::Mul(hn::BitCast(DWord(), bits), hn::ShiftRight<24>(top)));
      w = hn::BitCast(DWord(), hn::ShiftRight<8>(hn::BitCast(du, w)));
      x = hn::ShiftRight<8>(x);
    }
    return sum;
  }
#endif
  HWY_INLINE Word Total(Sum sum) const { return sum; }
  int64_t most_words(const PackedInputs& inputs) const { return inputs.features; }
};
#endif

// How numbers lie in words: those of one plane, and of all.
struct WordLayout {
  int64_t words = 0;    // Of a plane of a row, or of an input.
  int64_t numbers = 0;  // Of a word.
  int weight_planes = 1, input_planes = 1;
};

// Sums of words begin .. end - 1 of kCount rows with the inputs in lanes from `x` on.
template <class Operation, int kCount>
HWY_INLINE void SumWords(const Operation& operation, const uint8_t* const* w, const int32_t* HWY_RESTRICT x,
                         int64_t begin, int64_t end, Word* totals) {
  typename Operation::Sum sums[kCount];
  for (int r = 0; r < kCount; ++r) sums[r] = operation.Zero();
  for (int64_t k = begin; k < end; ++k) {
    const Word inputs = hn::LoadU(DWord(), x + k * kLanes);
    for (int r = 0; r < kCount; ++r) sums[r] = operation.Add(sums[r], Spread(w[r] + 4 * k), inputs);
  }
  for (int r = 0; r < kCount; ++r) totals[r] = operation.Total(sums[r]);
}

// A segment's products of whole numbers: words begin .. end - 1 of every plane.
template <class Operation, int kCount>
HWY_INLINE void SegmentProducts(const Operation& operation, const PackedInputs& inputs, const WordLayout& layout,
                                const uint8_t* const* w, const int32_t* HWY_RESTRICT x, int64_t begin, int64_t end,
                                Word* products) {
  for (int r = 0; r < kCount; ++r) products[r] = hn::Zero(DWord());
  const int64_t most = operation.most_words(inputs);
  for (int p = 0; p < layout.weight_planes; ++p) {
    const uint8_t* planes[kCount];
    for (int r = 0; r < kCount; ++r) planes[r] = w[r] + 4 * p * layout.words;
    for (int q = 0; q < layout.input_planes; ++q)
      for (int64_t k = begin; k < end; k += most) {
        Word totals[kCount];
        SumWords<Operation, kCount>(operation, planes, x + q * layout.words * kLanes, k, std::min(end, k + most),
                                    totals);
        for (int r = 0; r < kCount; ++r)
          products[r] = hn::Add(products[r], hn::ShiftLeftSame(totals[r], p + q));
      }
  }
}

// kCount rows times as many inputs as a vector has lanes, from the first on.
template <class Operation, int kCount>
HWY_INLINE void Tile(const Operation& operation, const PackedRow* rows, const PackedInputs& inputs,
                     const WordLayout& layout, const int32_t* HWY_RESTRICT x, int64_t first, float* y, int64_t stride) {
  constexpr bool kCounts = std::is_same_v<Operation, CountedBits>;
  const DNumber d;
  const uint8_t* w[kCount];
  Number totals[kCount];
  for (int r = 0; r < kCount; ++r) {
    w[r] = static_cast<const uint8_t*>(rows[r].numbers);
    totals[r] = hn::Zero(d);
  }
  const int64_t segments = inputs.segments(), segment_words = inputs.segment / layout.numbers;
  const int32_t largest = ((1 << layout.weight_planes) - 1) * ((1 << layout.input_planes) - 1);
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t begin = s * segment_words, end = std::min(begin + segment_words, layout.words);
    const int64_t at = s * inputs.segment_stride + first;
    Word products[kCount];
    SegmentProducts<Operation, kCount>(operation, inputs, layout, w, x, begin, end, products);
    const Number scales = hn::LoadU(d, inputs.scales + at), sums = hn::LoadU(d, inputs.sums + at);
    // Signs that agree add what those that differ take away.
    const Word all = hn::Set(DWord(), static_cast<int32_t>((end - begin) * layout.numbers) * largest);
    for (int r = 0; r < kCount; ++r) {
      if constexpr (kCounts) products[r] = hn::Sub(all, hn::Add(products[r], products[r]));
      const Number scaled = hn::Mul(hn::ConvertTo(d, products[r]), scales);
      totals[r] = hn::MulAdd(hn::Set(d, rows[r].scales[s]), scaled, totals[r]);
      if (rows[r].bases != nullptr) totals[r] = hn::MulAdd(hn::Set(d, rows[r].bases[s]), sums, totals[r]);
    }
    if (inputs.bases == nullptr) continue;
    const Number bases = hn::LoadU(d, inputs.bases + at);
    for (int r = 0; r < kCount; ++r)
      totals[r] = hn::MulAdd(hn::Set(d, rows[r].scales[s] * rows[r].sums[s]), bases, totals[r]);
  }
  float numbers[kCount][kLanes];
  for (int r = 0; r < kCount; ++r) hn::StoreU(totals[r], d, numbers[r]);
  const int64_t count = std::min<int64_t>(static_cast<int64_t>(hn::Lanes(d)), inputs.count - first);
  for (int64_t c = 0; c < count; ++c)
    for (int r = 0; r < kCount; ++r) y[(first + c) * stride + r] = numbers[r][c];
}

template <class Operation>
HWY_INLINE void Tiles(std::span<const PackedRow> rows, const PackedInputs& inputs, const WordLayout& layout, float* y,
                      int64_t stride) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(DWord()));
  const Operation operation;
  for (int64_t first = 0; first < inputs.count; first += lanes) {
    const int64_t group = first / kLanes;
    const int32_t* x = static_cast<const int32_t*>(inputs.arranged) +
                       group * inputs.input_planes * layout.words * kLanes + first % kLanes;
    size_t r = 0;
    for (; r + kRows <= rows.size(); r += kRows)
      Tile<Operation, kRows>(operation, &rows[r], inputs, layout, x, first, y + r, stride);
    for (; r < rows.size(); ++r) Tile<Operation, 1>(operation, &rows[r], inputs, layout, x, first, y + r, stride);
  }
}

void LaneProductsOfTarget(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  if (inputs.form == Form::kSigns) {
    const WordLayout layout{inputs.features / 32, 32, inputs.weight_planes, inputs.input_planes};
    return Tiles<CountedBits>(rows, inputs, layout, y, stride);
  }
  Tiles<ByteProducts>(rows, inputs, {(inputs.features + 3) / 4, 4, 1, 1}, y, stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(LaneProductsOfTarget);

void LaneProducts(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  HWY_DYNAMIC_DISPATCH(LaneProductsOfTarget)(rows, inputs, y, stride);
}

}  // namespace ridgeline
#endif  // HWY_ONCE
