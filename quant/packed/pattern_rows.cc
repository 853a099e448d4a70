// SPDX-License-Identifier: Apache-2.0
#include "quant/packed/pattern_rows.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ridgeline {
namespace {

constexpr uint64_t kMostPairs = 4096;
constexpr int kMostBits = 62;  // Of a word: with more, its inverse has more than 64.

// `bits` of them from bit `at` on.
uint64_t ReadBits(const uint8_t* bytes, int64_t readable, int64_t at, int bits) {
  const int64_t first = at / 8;
  unsigned __int128 window = 0;
  if (first + 16 <= readable)
    std::memcpy(&window, bytes + first, 16);
  else
    std::memcpy(&window, bytes + first, static_cast<size_t>(readable - first));
  return static_cast<uint64_t>(window >> (at % 8)) & ((uint64_t{1} << bits) - 1);
}

}  // namespace

PatternRows::PatternRows(const PackedLayout& layout)
    : group_(layout.spec.sparsity.m),
      groups_(layout.groups_per_row()),
      digits_(layout.word.digits),
      bits_(layout.word.bits),
      pair_radix_(layout.word.radix * layout.word.radix) {
  if (std::has_single_bit(layout.word.radix)) {  // Digits are fields, of which as many are read as a word holds.
    const int bits = std::countr_zero(layout.word.radix);
    pair_bits_ = 2 * bits;
    digits_ = kMostBits / pair_bits_ * 2;
    bits_ = digits_ * bits;
  } else {
    inverse_shift_ = bits_ + static_cast<int>(std::bit_width(pair_radix_));
    inverse_ = static_cast<uint64_t>(((static_cast<unsigned __int128>(1)) << inverse_shift_) / pair_radix_ + 1);
  }
  last_digits_ = static_cast<int>(groups_ % digits_);
  last_bits_ = pair_bits_ > 0 ? last_digits_ * pair_bits_ / 2 : BitsOfDigits(layout.word.radix, last_digits_);
}

std::optional<PatternRows> PatternRows::Create(const PackedLayout& layout, int8_t low, int8_t high) {
  const uint64_t radix = layout.word.radix;
  const int m = layout.spec.sparsity.m;
  if (radix * radix > kMostPairs || 2 * m > kPairBytes || layout.word.bits >= kMostBits) return std::nullopt;
  PatternRows rows(layout);
  rows.pairs_.resize(rows.pair_radix_ * kPairBytes);
  for (uint64_t pair = 0; pair < rows.pair_radix_; ++pair)
    for (int half = 0; half < 2; ++half) {
      std::array<int8_t, kLargestSparsityGroup> signs;
      layout.pattern.LevelsOf(half == 0 ? pair % radix : pair / radix, signs.data());
      for (int i = 0; i < m; ++i) {
        const int8_t sign = signs[static_cast<size_t>(i)];
        rows.pairs_[pair * kPairBytes + static_cast<size_t>(half * m + i)] = sign == 0  ? int8_t{0}
                                                                             : sign > 0 ? high
                                                                                        : low;
      }
    }
  return rows;
}

// Returns what is behind the groups. An odd last one is the first of a pair. Members are read before numbers are
// written, which could be them for all that a compiler knows.
template <bool kIsPowerOfTwo>
int8_t* PatternRows::SetGroups(uint64_t word, int digits, int8_t* wholes) const {
  const int8_t* const pairs = pairs_.data();
  const uint64_t radix = pair_radix_, inverse = inverse_;
  const int bits = pair_bits_, shift = inverse_shift_, step = 2 * group_, group = group_;
  const bool is_short = 2 * bits_ < 63;  // A product with the inverse has 64 bits.
  int8_t* to = wholes;
  for (int digit = 0; digit < digits; digit += 2, to += step) {
    uint64_t rest = word >> bits, pair = word & (radix - 1);
    if constexpr (!kIsPowerOfTwo) {
      rest = is_short ? word * inverse >> shift
                      : static_cast<uint64_t>(static_cast<unsigned __int128>(word) * inverse >> shift);
      pair = word - rest * radix;
    }
    std::memcpy(to, pairs + pair * kPairBytes, kPairBytes);
    word = rest;
  }
  return wholes + digits * group;
}

template <bool kIsPowerOfTwo>
void PatternRows::ReadWords(const uint8_t* bytes, int64_t readable, int8_t* wholes) const {
  const int64_t groups = groups_, digits = digits_, bits = bits_;
  int64_t at = 0, group = 0;
  for (; group + digits <= groups; group += digits, at += bits)
    wholes = SetGroups<kIsPowerOfTwo>(ReadBits(bytes, readable, at, static_cast<int>(bits)), static_cast<int>(digits),
                                      wholes);
  if (last_digits_ > 0) SetGroups<kIsPowerOfTwo>(ReadBits(bytes, readable, at, last_bits_), last_digits_, wholes);
}

void PatternRows::PairProducts(const int16_t* x, int64_t pairs, int32_t* products) const {
  for (int64_t p = 0; p < pairs; ++p, x += pair())
    for (uint64_t code = 0; code < pair_radix_; ++code) {
      int32_t sum = 0;
      for (int i = 0; i < pair(); ++i) sum += pairs_[code * kPairBytes + static_cast<size_t>(i)] * x[i];
      *products++ = sum;
    }
}

void PatternRows::Read(const uint8_t* bytes, int64_t readable, int8_t* wholes) const {
  pair_bits_ > 0 ? ReadWords<true>(bytes, readable, wholes) : ReadWords<false>(bytes, readable, wholes);
}

}  // namespace ridgeline
