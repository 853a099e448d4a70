// SPDX-License-Identifier: Apache-2.0
// Few inputs times codes as they lie, which are read once and not unpacked: a vector of 32 bytes holds codes of several
// phases, and inputs are arranged in the order in which a shift and a mask bring those out.
#include <algorithm>
#include <bit>
#include <cstring>

#include "quant/packed/row_products.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/packed/code_products.cc"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "quant/packed/sum_of_bases-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// In how many signs words of a row and of an input differ.
template <typename Word>
HWY_INLINE int32_t Differences(const uint8_t* HWY_RESTRICT w, const uint8_t* HWY_RESTRICT x, int64_t k) {
  Word a, b;
  std::memcpy(&a, w + k * static_cast<int64_t>(sizeof(Word)), sizeof(Word));
  std::memcpy(&b, x + k * static_cast<int64_t>(sizeof(Word)), sizeof(Word));
  return std::popcount(static_cast<Word>(a ^ b));
}

// Of segments first .. last - 1, each of kWords words or, where that is 0, of any number.
template <typename Word, int kWords>
HWY_INLINE void AddDifferences(const PackedInputs& inputs, const uint8_t* HWY_RESTRICT w, const uint8_t* HWY_RESTRICT x,
                               int64_t first, int64_t last, int shift, int32_t* HWY_RESTRICT counts) {
  constexpr int64_t kBits = 8 * sizeof(Word);
  const int64_t words = inputs.features / kBits, segment_words = kWords > 0 ? kWords : inputs.segment / kBits;
  for (int64_t s = first; s < last; ++s) {
    const int64_t begin = s * segment_words, end = kWords > 0 ? begin + kWords : std::min(words, begin + segment_words);
    int32_t differences = 0;
    for (int64_t k = begin; k < end; ++k) differences += Differences<Word>(w, x, k);
    counts[s - first] += differences << shift;
  }
}

HWY_INLINE void CountDifferences(const PackedInputs& inputs, const uint8_t* w, const uint8_t* x, int64_t first,
                                 int64_t last, int32_t* counts) {
  std::fill_n(counts, last - first, 0);
  const bool is_whole = inputs.segments * inputs.segment == inputs.features;
  for (int p = 0; p < inputs.weight_planes; ++p)
    for (int q = 0; q < inputs.input_planes; ++q) {
      const uint8_t *w_plane = w + p * inputs.features / 8, *x_plane = x + q * inputs.features / 8;
      if (inputs.segment == 128 && is_whole)
        AddDifferences<uint64_t, 2>(inputs, w_plane, x_plane, first, last, p + q, counts);
      else if (inputs.segment % 64 == 0 && inputs.features % 64 == 0)
        AddDifferences<uint64_t, 0>(inputs, w_plane, x_plane, first, last, p + q, counts);
      else
        AddDifferences<uint32_t, 0>(inputs, w_plane, x_plane, first, last, p + q, counts);
    }
}

HWY_INLINE float SignProduct(const PackedRow& row, const PackedInputs& inputs, int64_t c) {
  constexpr int64_t kAtOnce = 64;
  const auto* w = static_cast<const uint8_t*>(row.numbers);
  const auto* x = static_cast<const uint8_t*>(inputs.arranged) + c * inputs.input_planes * inputs.features / 8;
  const int32_t largest = ((1 << inputs.weight_planes) - 1) * ((1 << inputs.input_planes) - 1);
  const int64_t segments = inputs.segments;
  const float* HWY_RESTRICT scales = inputs.scales + c * inputs.input_stride;
  const auto all = static_cast<int32_t>(inputs.segment) * largest;
  float sum = SumOfBases(row, inputs, c);
  int32_t counts[kAtOnce];
  for (int64_t first = 0; first < segments; first += kAtOnce) {
    const int64_t last = std::min(segments, first + kAtOnce);
    CountDifferences(inputs, w, x, first, last, counts);
    // The row's last segment may be shorter.
    const auto missing = static_cast<int32_t>(segments * inputs.segment - inputs.features) * largest;
    if (last == segments) sum -= row.scales[last - 1] * scales[last - 1] * static_cast<float>(missing);
#pragma omp simd reduction(+ : sum)
    for (int64_t s = first; s < last; ++s)
      sum += row.scales[s] * scales[s] * static_cast<float>(all - 2 * counts[s - first]);
  }
  return sum;
}

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
#define RIDGELINE_HAS_CODE_VECTORS 1
#else
#define RIDGELINE_HAS_CODE_VECTORS 0
#endif

#if !RIDGELINE_HAS_CODE_VECTORS
template <int kBits, int kBytes>
HWY_INLINE float CodeProduct(const PackedRow& row, const PackedInputs& inputs, int64_t c) {
  const auto* codes = static_cast<const uint8_t*>(row.numbers);
  const int16_t* x = inputs.wholes + c * inputs.wholes_stride;
  float sum = SumOfBases(row, inputs, c);
  for (int64_t s = 0; s < inputs.segments; ++s) {
    const int64_t begin = s * inputs.segment, end = std::min(begin + inputs.segment, inputs.features);
    int32_t product = 0;
    for (int64_t i = begin; i < end; ++i) {
      const int code = codes[i * kBits / 8] >> (i * kBits % 8) & ((1 << kBits) - 1);
      product += (inputs.codes.has_sign ? static_cast<int8_t>(code) : code) * x[i];
    }
    sum += row.scales[s] * inputs.scale(s, c) * static_cast<float>(product);
  }
  return sum;
}
#else
// Vectors of 32 bytes, whatever the machine has.
using DByte = hn::FixedTag<uint8_t, 32>;
using DWhole = hn::FixedTag<int16_t, 16>;
using DSum = hn::FixedTag<int32_t, 8>;
using DNumber = hn::FixedTag<float, 8>;
using Sum = hn::Vec<DSum>;

// Bytes: what is read is asked for so much before, across pages.
constexpr int64_t kAhead = 2048;

// Products of 32 codes of a phase with inputs, added up over the phases of a vector: `kBytes` of each input, the lower
// one first.
template <int kBytes>
class PhaseSums {
 public:
  HWY_INLINE PhaseSums() {
    for (int b = 0; b < kBytes; ++b) sums_[b] = hn::Zero(DWhole());
  }
  HWY_INLINE void Add(hn::Vec<DByte> codes, const int8_t* x, int64_t stride) {
    for (int b = 0; b < kBytes; ++b) AddTo(sums_[b], codes, x + b * stride);
  }
  HWY_INLINE Sum Total() const {
    const Sum low{_mm256_madd_epi16(sums_[0].raw, _mm256_set1_epi16(1))};
    if constexpr (kBytes == 1) return low;
    return hn::Add(low, Sum{_mm256_madd_epi16(sums_[kBytes - 1].raw, _mm256_set1_epi16(256))});
  }

 private:
  static HWY_INLINE void AddTo(hn::Vec<DWhole>& sum, hn::Vec<DByte> codes, const int8_t* x) {
    const auto pairs = _mm256_maddubs_epi16(codes.raw, hn::LoadU(hn::FixedTag<int8_t, 32>(), x).raw);
    sum = hn::Add(sum, hn::Vec<DWhole>{pairs});
  }

  hn::Vec<DWhole> sums_[kBytes];
};

// Products of a vector of codes with its inputs. Sums of 16 bits do not overflow: (2^bits - 1) 2^7 times 2 8 / bits.
template <int kBits, int kBytes>
HWY_INLINE Sum VectorProducts(const uint8_t* codes, const int8_t* x, int64_t stride) {
  constexpr int kPhases = 8 / kBits;
  const hn::Repartition<uint16_t, DByte> d16;  // Which has a shift.
  const DByte d;
  const auto mask = hn::Set(d, static_cast<uint8_t>((1 << kBits) - 1));
  hwy::Prefetch(codes + kAhead);
  auto rest = hn::BitCast(d16, hn::LoadU(d, codes));
  PhaseSums<kBytes> sums;
  for (int phase = 0; phase < kPhases; ++phase) {
    sums.Add(hn::And(hn::BitCast(d, rest), mask), x + 32 * phase, stride);
    rest = hn::ShiftRight<kBits>(rest);
  }
  return sums.Total();
}

// The sum over segments of their products, of 8 lanes each, times what weights and inputs are scaled by.
template <typename SegmentProducts>
HWY_INLINE hn::Vec<DNumber> SumOfSegments(const PackedRow& row, const PackedInputs& inputs, int64_t c,
                                          const SegmentProducts& products_of) {
  constexpr int64_t kAtOnce = 128;
  const float* HWY_RESTRICT input_scales = inputs.scales + c * inputs.input_stride;
  const DNumber d;
  auto total = hn::Zero(d);
  float scales[kAtOnce];
  for (int64_t first = 0; first < inputs.segments; first += kAtOnce) {
    const int64_t count = std::min(kAtOnce, inputs.segments - first);
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) scales[i] = row.scales[first + i] * input_scales[first + i];
    for (int64_t i = 0; i < count; ++i)
      total = hn::MulAdd(hn::ConvertTo(d, products_of(first + i)), hn::Set(d, scales[i]), total);
  }
  return total;
}

// Codes of less than 8 bits. Segments have a multiple of 16 bytes of codes.
template <int kBits, int kBytes>
HWY_INLINE float CodeProduct(const PackedRow& row, const PackedInputs& inputs, int64_t c) {
  constexpr int64_t kInputs = 32 * 8 / kBits;  // Of a vector of codes, each of a byte.
  const auto* codes = static_cast<const uint8_t*>(row.numbers);
  const int64_t row_bytes = (inputs.features * kBits + 7) / 8, vectors = (row_bytes + 31) / 32;
  const int64_t stride = vectors * kInputs, segment_bytes = inputs.segment * kBits / 8;
  const auto* x = static_cast<const int8_t*>(inputs.arranged) + c * kBytes * stride;
  const DNumber d;
  auto total = hn::Zero(d);
  if (segment_bytes % 32 == 0) {
    const int64_t segment_vectors = segment_bytes / 32;
    total = SumOfSegments(row, inputs, c, [&](int64_t s) HWY_ATTR {
      Sum sum = hn::Zero(DSum());
      const int64_t end = std::min(vectors, (s + 1) * segment_vectors);
      for (int64_t v = s * segment_vectors; v < end; ++v)
        sum = hn::Add(sum, VectorProducts<kBits, kBytes>(codes + 32 * v, x + kInputs * v, stride));
      return sum;
    });
  } else {
    const hn::Half<DNumber> half;
    const float* input_scales = inputs.scales + c * inputs.input_stride;
    const bool is_half = segment_bytes == 16;
    const auto scale = [&](int64_t at) HWY_ATTR {
      const int64_t s = std::min(is_half ? at / 16 : at / segment_bytes, inputs.segments - 1);
      return hn::Set(half, row.scales[s] * input_scales[s]);
    };
    for (int64_t v = 0; v < vectors; ++v) {
      const Sum sum = VectorProducts<kBits, kBytes>(codes + 32 * v, x + kInputs * v, stride);
      total = hn::MulAdd(hn::ConvertTo(d, sum), hn::Combine(d, scale(32 * v + 16), scale(32 * v)), total);
    }
  }
  return hn::GetLane(hn::SumOfLanes(d, total)) + SumOfBases(row, inputs, c);
}

// Codes of 8 bits by whole numbers of 16. Segments have a multiple of 32 of them.
template <typename Code>
HWY_INLINE float ByteCodeProduct(const PackedRow& row, const PackedInputs& inputs, int64_t c) {
  const hn::FixedTag<Code, 16> d8;
  const DWhole d16;
  const DNumber d;
  const auto* codes = static_cast<const Code*>(row.numbers);
  const int16_t* x = inputs.wholes + c * inputs.wholes_stride;
  const auto total = SumOfSegments(row, inputs, c, [&](int64_t s) HWY_ATTR {
    const int64_t begin = s * inputs.segment, end = std::min(begin + inputs.segment, inputs.features);
    Sum even = hn::Zero(DSum()), odd = even, others = even;  // Pairs are added at once: `others` stays 0.
    for (int64_t i = begin; i < end; i += 32) {
      hwy::Prefetch(codes + i + kAhead);
      const auto a = hn::PromoteTo(d16, hn::LoadU(d8, codes + i)),
                 b = hn::PromoteTo(d16, hn::LoadU(d8, codes + i + 16));
      even = hn::ReorderWidenMulAccumulate(DSum(), a, hn::LoadU(d16, x + i), even, others);
      odd = hn::ReorderWidenMulAccumulate(DSum(), b, hn::LoadU(d16, x + i + 16), odd, others);
    }
    return hn::Add(hn::Add(even, odd), others);
  });
  return hn::GetLane(hn::SumOfLanes(d, total)) + SumOfBases(row, inputs, c);
}
#endif

// One input is read from the innermost cache as it is, and a row's codes are multiplied as they leave theirs.
template <typename Product>
HWY_INLINE void Products(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride,
                         const Product& product) {
  for (size_t r = 0; r < rows.size(); ++r)
    for (int64_t c = 0; c < inputs.count; ++c) y[c * stride + static_cast<int64_t>(r)] = product(rows[r], inputs, c);
}

template <int kBits>
HWY_INLINE void ProductsOfBits(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  if (inputs.input_bytes == 1)
    Products(rows, inputs, y, stride, CodeProduct<kBits, 1>);
  else
    Products(rows, inputs, y, stride, CodeProduct<kBits, 2>);
}

void CodeProductsOfTarget(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  if (inputs.form == Form::kSigns) return Products(rows, inputs, y, stride, SignProduct);
  if (inputs.codes.bits == 1) return ProductsOfBits<1>(rows, inputs, y, stride);
  if (inputs.codes.bits == 2) return ProductsOfBits<2>(rows, inputs, y, stride);
  if (inputs.codes.bits == 4) return ProductsOfBits<4>(rows, inputs, y, stride);
#if !RIDGELINE_HAS_CODE_VECTORS
  Products(rows, inputs, y, stride, CodeProduct<8, 2>);
#else
  if (inputs.codes.has_sign) return Products(rows, inputs, y, stride, ByteCodeProduct<int8_t>);
  Products(rows, inputs, y, stride, ByteCodeProduct<uint8_t>);
#endif
}
#undef RIDGELINE_HAS_CODE_VECTORS

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(CodeProductsOfTarget);

void CodeProducts(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  HWY_DYNAMIC_DISPATCH(CodeProductsOfTarget)(rows, inputs, y, stride);
}

}  // namespace ridgeline
#endif  // HWY_ONCE
