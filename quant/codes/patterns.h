// SPDX-License-Identifier: Apache-2.0
// n:m groups as numbers: which of m are kept, and for signs and ternary numbers that together with the codes, since
// below one bit it is the mask that costs (docs/formats.md#sparse-groups).
#pragma once

#include <cstdint>

#include "method/quantizer_spec.h"

namespace ridgeline {

// m choose k. REQUIRES: 0 <= m <= kLargestSparsityGroup.
uint64_t Choices(int m, int k);

// Masks with `kept` of m bits set, in ascending order, counted from 0; bit i is element i of the group.
uint64_t RankOfMask(uint32_t mask);
// Of a rank: 2:4 has 6 masks and takes 3 bits. 0 when dense.
int BitsOfMask(const SparsityPattern& sparsity);
uint32_t MaskOfRank(uint64_t rank, int kept, int m);

// Joint codes: each group of m is one of so many patterns.
enum class PatternKind {
  kSigns,    // n of m are -1 or +1: the mask's rank times 2^n, plus a bit for each that is kept, 1 for +1.
  kTernary,  // At most n are not 0. Those with none, with one and so on, each in the order of kSigns.
};
struct PatternCode {
  PatternKind kind = PatternKind::kSigns;
  SparsityPattern sparsity;

  uint64_t count() const;
  // levels: m numbers, -1, 0 or +1. Of signs too few of which are not 0, the first zeros count as +1, of too many the
  // last as 0.
  uint64_t IndexOf(const int8_t* levels) const;
  // REQUIRES: index < count().
  void LevelsOf(uint64_t index, int8_t* levels) const;
};

// Numbers below `radix`, several in a word: the first is the lowest digit. A word has as many digits as leave the
// fewest bits for each, and a row's last one those that are left.
struct RadixWord {
  uint64_t radix = 2;
  int digits = 1;
  int bits = 1;  // Of a whole word, at most 64.
};
RadixWord RadixWordOf(uint64_t radix);
int BitsOfDigits(uint64_t radix, int digits);

}  // namespace ridgeline
