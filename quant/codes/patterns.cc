// SPDX-License-Identifier: Apache-2.0
#include "quant/codes/patterns.h"

#include <algorithm>
#include <bit>

namespace ridgeline {
namespace {

// Patterns of a group with exactly `kept` numbers that are not 0.
uint64_t PatternsWith(int kept, int m) { return Choices(m, kept) << kept; }

struct Kept {
  uint32_t mask = 0;
  uint64_t signs = 0;  // Of those that are kept, in their order: 1 for +1.
  int count = 0;
};

// Of the first `most` numbers that are not 0.
Kept KeptOf(const int8_t* levels, int m, int most) {
  Kept kept;
  for (int i = 0; i < m && kept.count < most; ++i) {
    if (levels[i] == 0) continue;
    kept.mask |= 1u << i;
    if (levels[i] > 0) kept.signs |= uint64_t{1} << kept.count;
    ++kept.count;
  }
  return kept;
}

}  // namespace

uint64_t Choices(int m, int k) {
  if (k < 0 || k > m) return 0;
  uint64_t choices = 1;  // Each step divides without a remainder. C(32, 16) times 32 has room.
  for (int i = 1; i <= k; ++i) choices = choices * static_cast<uint64_t>(m - k + i) / static_cast<uint64_t>(i);
  return choices;
}

uint64_t RankOfMask(uint32_t mask) {
  uint64_t rank = 0;
  for (int kept = 1; mask != 0; ++kept, mask &= mask - 1) rank += Choices(std::countr_zero(mask), kept);
  return rank;
}

int BitsOfMask(const SparsityPattern& sparsity) {
  return sparsity.is_sparse() ? std::bit_width(Choices(sparsity.m, sparsity.n) - 1) : 0;
}

uint32_t MaskOfRank(uint64_t rank, int kept, int m) {
  uint32_t mask = 0;
  for (int place = m - 1; kept > 0 && place >= 0; --place) {
    const uint64_t below = Choices(place, kept);
    if (rank < below) continue;
    mask |= 1u << place;
    rank -= below;
    --kept;
  }
  return mask;
}

uint64_t PatternCode::count() const {
  const auto [n, m] = sparsity;
  if (kind == PatternKind::kSigns) return PatternsWith(n, m);
  uint64_t patterns = 0;
  for (int kept = 0; kept <= n; ++kept) patterns += PatternsWith(kept, m);
  return patterns;
}

uint64_t PatternCode::IndexOf(const int8_t* levels) const {
  const auto [n, m] = sparsity;
  Kept kept = KeptOf(levels, m, n);
  uint64_t fewer = 0;
  if (kind == PatternKind::kSigns && kept.count < n) {
    int8_t filled[kLargestSparsityGroup];
    std::copy_n(levels, m, filled);
    int missing = n - kept.count;
    for (int i = 0; i < m && missing > 0; ++i)
      if (filled[i] == 0) filled[i] = 1, --missing;
    kept = KeptOf(filled, m, n);
  }
  for (int count = 0; kind == PatternKind::kTernary && count < kept.count; ++count) fewer += PatternsWith(count, m);
  return fewer + (RankOfMask(kept.mask) << kept.count) + kept.signs;
}

void PatternCode::LevelsOf(uint64_t index, int8_t* levels) const {
  const auto [n, m] = sparsity;
  int kept = n;
  if (kind == PatternKind::kTernary)
    for (kept = 0; kept < n && index >= PatternsWith(kept, m); ++kept) index -= PatternsWith(kept, m);
  const uint32_t mask = MaskOfRank(index >> kept, kept, m);
  int place = 0;
  for (int i = 0; i < m; ++i) {
    const bool is_kept = (mask >> i & 1) != 0;
    levels[i] = static_cast<int8_t>(!is_kept ? 0 : (index >> place & 1) != 0 ? 1 : -1);
    if (is_kept) ++place;
  }
}

int BitsOfDigits(uint64_t radix, int digits) {
  unsigned __int128 largest = 1;
  for (int i = 0; i < digits; ++i) largest *= radix;
  int bits = 0;
  for (--largest; largest > 0; largest >>= 1) ++bits;
  return bits;
}

RadixWord RadixWordOf(uint64_t radix) {
  RadixWord best{radix, 1, BitsOfDigits(radix, 1)};
  for (int digits = 2; digits * (std::bit_width(radix) - 1) < 64; ++digits) {
    const int bits = BitsOfDigits(radix, digits);
    if (bits <= 64 && bits * best.digits < best.bits * digits) best = {radix, digits, bits};
  }
  return best;
}

}  // namespace ridgeline
