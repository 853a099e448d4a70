// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cmath>
#include <vector>

#include "method/hadamard_sign.h"
#include "quant/codes/bits.h"
#include "quant/codes/code_book.h"
#include "quant/codes/packed_tensor.h"
#include "quant/codes/statistics_bytes.h"

namespace ridgeline {
namespace {

// The code of one number, from its row's bytes: field `at` of `bits` bits.
int FieldAt(const uint8_t* bytes, int64_t at, int bits) {
  int field = 0;
  for (int k = 0; k < bits; ++k) {
    const int64_t bit = at * bits + k;
    field |= (bytes[bit / 8] >> (bit % 8) & 1) << k;
  }
  return field;
}

float LevelOfPattern_ref(const PackedLayout& layout, const uint8_t* bytes, int64_t i) {
  std::array<int8_t, kLargestSparsityGroup> signs{};
  const int64_t group = i / layout.spec.sparsity.m, first = group / layout.word.digits * layout.word.digits;
  const int64_t bit = group / layout.word.digits * layout.word.bits;
  uint64_t word = 0;
  for (int k = 0; k < layout.BitsAt(first); ++k)
    word |= static_cast<uint64_t>(bytes[(bit + k) / 8] >> ((bit + k) % 8) & 1) << k;
  for (int64_t digit = first; digit < group; ++digit) word /= layout.word.radix;
  layout.pattern.LevelsOf(word % layout.word.radix, signs.data());
  return signs[static_cast<size_t>(i % layout.spec.sparsity.m)];
}

// 0 where pruned.
float LevelOfKept_ref(const PackedView& packed, const CodeBook& book, int64_t row, int64_t i, float extra) {
  const PackedLayout& layout = packed.layout;
  const auto [n, m] = layout.spec.sparsity;
  const auto place = static_cast<int>(i % m);
  const int rank = FieldAt(packed.masks.data() + row * layout.mask_row_bytes, i / m, layout.mask_bits);
  const uint32_t mask = MaskOfRank(static_cast<uint64_t>(rank), n, m);
  if ((mask >> place & 1) == 0) return 0;
  const int before = __builtin_popcount(mask & ((1u << place) - 1));
  const uint8_t* bytes = packed.codes.data() + row * layout.code_row_bytes;
  const int code = FieldAt(bytes, i / m * n + before, layout.code_bits);
  return code == book.extra_code() ? extra : book.levels()[static_cast<size_t>(code)];
}

float Level_ref(const PackedView& packed, const CodeBook& book, int64_t row, int64_t i, float extra) {
  const PackedLayout& layout = packed.layout;
  const uint8_t* bytes = packed.codes.data() + row * layout.code_row_bytes;
  if (layout.storage == CodeStorage::kPatterns) return LevelOfPattern_ref(layout, bytes, i);
  if (layout.storage == CodeStorage::kKept) return LevelOfKept_ref(packed, book, row, i, extra);
  int code = 0;
  if (layout.storage == CodeStorage::kTrits)
    code = bytes[i / kTritsPerByte] / static_cast<int>(std::pow(3, i % kTritsPerByte)) % 3;
  else
    code = FieldAt(bytes, i, layout.code_bits);
  return code == book.extra_code() ? extra : book.levels()[static_cast<size_t>(code)];
}

// x = D H y of a row, by the definition of H.
void RotateBack_ref(const PackedLayout& layout, float* y) {
  std::vector<double> x(static_cast<size_t>(layout.features), 0);
  for (int64_t i = 0; i < layout.features; ++i) {
    const int64_t begin = i / layout.block * layout.block;
    for (int64_t j = 0; j < layout.block; ++j)
      x[static_cast<size_t>(i)] +=
          __builtin_parityll(static_cast<uint64_t>((i - begin) & j)) ? -y[begin + j] : y[begin + j];
    const double sign = layout.spec.hadamard_signs ? HadamardSign(i) : 1;
    x[static_cast<size_t>(i)] *= sign / std::sqrt(static_cast<double>(layout.block));
  }
  for (int64_t i = 0; i < layout.features; ++i) y[i] = static_cast<float>(x[static_cast<size_t>(i)]);
}

}  // namespace

void DecodeRows_ref(const PackedView& packed, int64_t begin, int64_t end, Rotated rotated, float* x_hat) {
  const PackedLayout& layout = packed.layout;
  const CodeBook book = *CodeBookOf(layout.spec);
  for (int64_t row = begin; row < end; ++row, x_hat += layout.features) {
    for (int64_t i = 0; i < layout.features; ++i) {
      const BlockStatistics statistics = LoadStatistics(packed, layout.FirstBlock(row) + i / layout.block);
      x_hat[i] = statistics.scale * Level_ref(packed, book, row, i, statistics.extra) + statistics.offset;
    }
    if (layout.spec.hadamard && rotated == Rotated::kBack) RotateBack_ref(layout, x_hat);
  }
}

}  // namespace ridgeline
