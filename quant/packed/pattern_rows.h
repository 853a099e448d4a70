// SPDX-License-Identifier: Apache-2.0
// Rows of joint codes (docs/formats.md#sparse-groups) as whole numbers, two groups at a time from one table.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "quant/codes/packed_layout.h"

namespace ridgeline {

// Immutable; any thread.
class PatternRows {
 public:
  // `low` and `high` are the whole numbers of -1 and +1. REQUIRES: layout.storage == CodeStorage::kPatterns. None for
  // groups and words that are too long for a table of pairs.
  static std::optional<PatternRows> Create(const PackedLayout& layout, int8_t low, int8_t high);

  // wholes: `features` of them, and up to kRoomBeyondWholes (unpack.h) that mean nothing. `readable`: bytes from
  // the row's first one on, which may go beyond the row's own.
  void Read(const uint8_t* bytes, int64_t readable, int8_t* wholes) const;

  // The bits of a pair of groups; 0 where those are no field of their own.
  int pair_bits() const { return pair_bits_; }
  int pair() const { return 2 * group_; }  // Numbers of one.
  // Of each of `pairs` pairs of x the product with each code that a pair can have: (pairs, 2^pair_bits).
  void PairProducts(const int16_t* x, int64_t pairs, int32_t* products) const;

 private:
  static constexpr int kPairBytes = 16;  // Of an entry: two groups of at most 8.

  explicit PatternRows(const PackedLayout& layout);
  template <bool kIsPowerOfTwo>
  void ReadWords(const uint8_t* bytes, int64_t readable, int8_t* wholes) const;
  template <bool kIsPowerOfTwo>
  int8_t* SetGroups(uint64_t word, int digits, int8_t* wholes) const;

  int group_ = 0;  // Numbers of one.
  int64_t groups_ = 0;
  int digits_ = 0, bits_ = 0, last_digits_ = 0, last_bits_ = 0;  // Of words, and of what is left behind them.
  uint64_t pair_radix_ = 0;
  int pair_bits_ = 0;  // Where that is a power of two; else 0, and
  uint64_t inverse_ = 0;
  int inverse_shift_ = 0;      // floor(word / pair_radix_) = word inverse_ >> inverse_shift_.
  std::vector<int8_t> pairs_;  // (pair_radix_, kPairBytes)
};

}  // namespace ridgeline
