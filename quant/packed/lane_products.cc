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

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
constexpr int kAllVectors = 1;  // Of kLanes.
#elif HWY_TARGET == HWY_AVX2
constexpr int kAllVectors = 2;
#else
constexpr int kAllVectors = static_cast<int>(kLanes / hn::MaxLanes(DWord()));
#endif

constexpr int kRows = 4;  // Which share a read of inputs.

HWY_INLINE Word Spread(const uint8_t* word) {
  int32_t bits;
  __builtin_memcpy(&bits, word, sizeof(bits));
  return hn::Set(DWord(), bits);
}

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
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

// Products of four bytes.
struct ByteProducts {
  using Sum = hn::Vec<hn::Repartition<int16_t, DWord>>;

  HWY_INLINE Sum Zero() const { return hn::Zero(hn::Repartition<int16_t, DWord>()); }
  HWY_INLINE Sum Add(Sum sum, Word w, Word x) const { return hn::Add(sum, BytePairs(w, x)); }
  HWY_INLINE Word Total(Sum sum) const { return SumsOfPairs(sum); }
  int64_t most_words(const PackedInputs& inputs) const { return inputs.additions; }
};
#else
struct ByteProducts {
  using Sum = Word;

  HWY_INLINE Sum Zero() const { return hn::Zero(DWord()); }
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
  HWY_INLINE Word Total(Sum sum) const { return sum; }
  int64_t most_words(const PackedInputs& inputs) const { return inputs.features; }
};
#endif

// Products of two numbers of 16 bits.
struct PairProducts {
  using Sum = Word;

  HWY_INLINE Sum Zero() const { return hn::Zero(DWord()); }
  HWY_INLINE Sum Add(Sum sum, Word w, Word x) const {
#if HWY_TARGET == HWY_AVX2
    return hn::Add(sum, Word{_mm256_madd_epi16(w.raw, x.raw)});
#elif HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
    return hn::Add(sum, Word{_mm512_madd_epi16(w.raw, x.raw)});
#else
    const auto low = [](Word v) HWY_ATTR { return hn::ShiftRight<16>(hn::ShiftLeft<16>(v)); };
    const auto high = [](Word v) HWY_ATTR { return hn::ShiftRight<16>(v); };
    return hn::Add(sum, hn::Add(hn::Mul(low(w), low(x)), hn::Mul(high(w), high(x))));
#endif
  }
  HWY_INLINE Word Total(Sum sum) const { return sum; }
  HWY_INLINE int64_t most_words(const PackedInputs& inputs) const { return inputs.features; }
};

// Bits that differ: for machines that count those of vectors, and those without bytes in tables (NibbleProducts).
struct CountedBits {
  using Sum = Word;

  HWY_INLINE Sum Zero() const { return hn::Zero(DWord()); }
  HWY_INLINE Sum Add(Sum sum, Word w, Word x) const {
    const auto differences = hn::BitCast(hn::RebindToUnsigned<DWord>(), hn::Xor(w, x));
    return hn::Add(sum, hn::BitCast(DWord(), hn::PopulationCount(differences)));
  }
  HWY_INLINE Word Total(Sum sum) const { return sum; }
  HWY_INLINE int64_t most_words(const PackedInputs& inputs) const { return inputs.features; }
};

// How numbers lie in words: those of one plane, and of all.
struct WordLayout {
  int64_t words = 0;    // Of a plane of a row, or of an input.
  int64_t numbers = 0;  // Of a word.
  int weight_planes = 1, input_planes = 1;
};

// Rather than read again where it is used, or put aside for a turn of a loop.
template <class V>
HWY_INLINE void KeepInRegister(V& vector) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  auto raw = vector.raw;
  asm volatile("" : "+x"(raw));
  vector = V{raw};
#endif
}

// Sums of `count` words of kCount rows with kVectors of inputs from `x` on, times 2^shift, to the products. A function
// of its own, with all registers.
template <class Operation, int kCount, int kVectors>
HWY_NOINLINE void AddWords(const Operation& operation, const uint8_t* const* w, const int32_t* HWY_RESTRICT x,
                           int64_t count, int64_t most, int shift, Word (*HWY_RESTRICT products)[kVectors]) {
  constexpr int64_t kLanesOfVector = kLanes / kAllVectors;
  for (int64_t begin = 0; begin < count; begin += most) {
    typename Operation::Sum sums[kCount][kVectors];
    for (int r = 0; r < kCount; ++r)
      for (int v = 0; v < kVectors; ++v) sums[r][v] = operation.Zero();
    const int64_t end = std::min(count, begin + most);
    for (int64_t k = begin; k < end; ++k) {
      Word inputs[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        inputs[v] = hn::LoadU(DWord(), x + k * kLanes + v * kLanesOfVector);
        KeepInRegister(inputs[v]);
      }
#pragma GCC unroll 4
      for (int r = 0; r < kCount; ++r) {
        const Word weights = Spread(w[r] + 4 * k);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          sums[r][v] = operation.Add(sums[r][v], weights, inputs[v]);
          KeepInRegister(sums[r][v]);
        }
      }
    }
    for (int r = 0; r < kCount; ++r)
      for (int v = 0; v < kVectors; ++v) {
        const Word total = operation.Total(sums[r][v]);
        products[r][v] = hn::Add(products[r][v], shift == 0 ? total : hn::ShiftLeftSame(total, shift));
      }
  }
}

// A segment's products of whole numbers: words begin .. end - 1 of every plane.
template <class Operation, int kCount, int kVectors>
HWY_INLINE void SegmentProducts(const Operation& operation, const PackedInputs& inputs, const WordLayout& layout,
                                const uint8_t* const* w, const int32_t* HWY_RESTRICT x, int64_t begin, int64_t end,
                                Word (*products)[kVectors]) {
  for (int r = 0; r < kCount; ++r)
    for (int v = 0; v < kVectors; ++v) products[r][v] = hn::Zero(DWord());
  for (int p = 0; p < layout.weight_planes; ++p)
    for (int q = 0; q < layout.input_planes; ++q) {
      const uint8_t* words[kCount];
      for (int r = 0; r < kCount; ++r) words[r] = w[r] + 4 * (p * layout.words + begin);
      AddWords<Operation, kCount, kVectors>(operation, words, x + (q * layout.words + begin) * kLanes, end - begin,
                                            operation.most_words(inputs), p + q, products);
    }
}

// kCount rows times kVectors of inputs, from the first on.
template <class Operation, int kCount, int kVectors>
HWY_INLINE void Tile(const Operation& operation, const PackedRow* rows, const PackedInputs& inputs,
                     const WordLayout& layout, const int32_t* HWY_RESTRICT x, int64_t first, float* y, int64_t stride) {
  constexpr bool kCounts = std::is_same_v<Operation, CountedBits>;
  constexpr int64_t kLanesOfVector = kLanes / kAllVectors;
  const DNumber d;
  const uint8_t* w[kCount];
  Number totals[kCount][kVectors];
  for (int r = 0; r < kCount; ++r) {
    w[r] = static_cast<const uint8_t*>(rows[r].numbers);
    for (int v = 0; v < kVectors; ++v) totals[r][v] = hn::Zero(d);
  }
  const int64_t segments = inputs.segments, segment_words = inputs.segment / layout.numbers;
  const int32_t largest = ((1 << layout.weight_planes) - 1) * ((1 << layout.input_planes) - 1);
  const bool has_bases = rows->bases != nullptr, inputs_have_bases = inputs.bases != nullptr;
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t begin = s * segment_words, end = std::min(begin + segment_words, layout.words);
    const int64_t at = s * inputs.segment_stride + first;
    Word products[kCount][kVectors];
    SegmentProducts<Operation, kCount, kVectors>(operation, inputs, layout, w, x, begin, end, products);
    // Signs that agree add what those that differ take away.
    const Word all = hn::Set(DWord(), static_cast<int32_t>((end - begin) * layout.numbers) * largest);
    for (int v = 0; v < kVectors; ++v) {
      const int64_t lane = at + v * kLanesOfVector;
      const Number scales = hn::LoadU(d, inputs.scales + lane);
      for (int r = 0; r < kCount; ++r) {
        if constexpr (kCounts) products[r][v] = hn::Sub(all, hn::Add(products[r][v], products[r][v]));
        const Number scaled = hn::Mul(hn::ConvertTo(d, products[r][v]), scales);
        totals[r][v] = hn::MulAdd(hn::Set(d, rows[r].scales[s]), scaled, totals[r][v]);
      }
      if (has_bases) {
        const Number sums = hn::LoadU(d, inputs.sums + lane);
        for (int r = 0; r < kCount; ++r) totals[r][v] = hn::MulAdd(hn::Set(d, rows[r].bases[s]), sums, totals[r][v]);
      }
      if (inputs_have_bases) {
        const Number bases = hn::LoadU(d, inputs.bases + lane);
        for (int r = 0; r < kCount; ++r)
          totals[r][v] = hn::MulAdd(hn::Set(d, rows[r].scales[s] * rows[r].sums[s]), bases, totals[r][v]);
      }
    }
  }
  float numbers[kCount][kLanes];
  for (int r = 0; r < kCount; ++r)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(totals[r][v], d, numbers[r] + v * kLanesOfVector);
  const int64_t count = std::min<int64_t>(kVectors * kLanesOfVector, inputs.count - first);
  for (int64_t c = 0; c < count; ++c)
    for (int r = 0; r < kCount; ++r) y[(first + c) * stride + r] = numbers[r][c];
}

template <class Operation, int kVectors>
HWY_INLINE void TilesOf(std::span<const PackedRow> rows, const PackedInputs& inputs, const WordLayout& layout,
                        int64_t first, float* y, int64_t stride) {
  const int32_t* x = static_cast<const int32_t*>(inputs.arranged) +
                     first / kLanes * inputs.input_planes * layout.words * kLanes + first % kLanes;
  size_t r = 0;
  for (; r + kRows <= rows.size(); r += kRows)
    Tile<Operation, kRows, kVectors>(Operation(), &rows[r], inputs, layout, x, first, y + r, stride);
  for (; r < rows.size(); ++r)
    Tile<Operation, 1, kVectors>(Operation(), &rows[r], inputs, layout, x, first, y + r, stride);
}

// Vectors of lanes without an input are left out.
template <class Operation>
HWY_INLINE void Tiles(std::span<const PackedRow> rows, const PackedInputs& inputs, const WordLayout& layout, float* y,
                      int64_t stride) {
  constexpr int64_t kLanesOfVector = kLanes / kAllVectors;
  for (int64_t first = 0; first < inputs.count; first += kLanes) {
    if (first + kLanes - kLanesOfVector < inputs.count) {
      TilesOf<Operation, kAllVectors>(rows, inputs, layout, first, y, stride);
    } else {
      for (int64_t c = first; c < inputs.count; c += kLanesOfVector)
        TilesOf<Operation, 1>(rows, inputs, layout, c, y, stride);
    }
  }
}

void LaneProductsOfTarget(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  if (inputs.form == Form::kSigns) {
    const WordLayout layout{inputs.features / 32, 32, inputs.weight_planes, inputs.input_planes};
    return Tiles<CountedBits>(rows, inputs, layout, y, stride);
  }
  if (inputs.form == Form::kPairs)
    return Tiles<PairProducts>(rows, inputs, {(inputs.features + 1) / 2, 2, 1, 1}, y, stride);
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
