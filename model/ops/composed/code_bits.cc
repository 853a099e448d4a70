// SPDX-License-Identifier: Apache-2.0
#include "model/ops/composed/code_bits.h"

#include <vector>

#include "model/ops/composed/exact_math.h"
#include "quant/autograd/torch_pch.h"
#include "quant/codes/bits.h"

namespace ridgeline {
namespace {

// x (rows, n), zeros behind the end of each row: (rows, n / of_each rounded up, of_each)
at::Tensor InGroups(const at::Tensor& x, int64_t of_each) {
  const int64_t rows = x.size(0), n = x.size(1), missing = (of_each - n % of_each) % of_each;
  const at::Tensor whole = missing == 0 ? x : at::constant_pad_nd(x, {0, missing});
  return whole.reshape({rows, (n + missing) / of_each, of_each});
}

at::Tensor Iota(int64_t n, const at::Tensor& like) { return at::arange(n, like.options()); }

// Bits as kByte, from the lowest: (rows, n, bits) -> (rows, n bits)
at::Tensor BitsOf(const at::Tensor& fields, int bits) {
  const at::Tensor shifted = at::bitwise_right_shift(fields.unsqueeze(2), Iota(bits, fields));
  return at::bitwise_and(shifted, 1).to(at::kByte).view({fields.size(0), fields.size(1) * bits});
}

at::Tensor JoinedBits(const at::Tensor& bits) {
  const at::Tensor eights = InGroups(bits, 8);
  at::Tensor bytes = eights.select(2, 0);
  for (int k = 1; k < 8; ++k) bytes = bytes + at::bitwise_left_shift(eights.select(2, k), k);
  return bytes;
}

// bits: (rows, bits) from the first field's on.
at::Tensor FieldsOf(const at::Tensor& all_bits, int64_t n, int bits) {
  const at::Tensor of_fields = all_bits.narrow(1, 0, n * bits).reshape({all_bits.size(0), n, bits});
  const at::ScalarType type = bits <= 8 ? at::kByte : at::kLong;
  at::Tensor fields = of_fields.select(2, 0).to(type);
  for (int k = 1; k < bits; ++k) fields = fields + at::bitwise_left_shift(of_fields.select(2, k).to(type), k);
  return fields;
}

// How many of each group hold, up to each of it and that included.
at::Tensor CountsOf(const at::Tensor& holds) { return holds.to(at::kLong).cumsum(2); }

// (m, n + 1): i choose k
std::vector<int64_t> ChoicesOf(const SparsityPattern& sparsity) {
  std::vector<int64_t> choices;
  for (int i = 0; i < sparsity.m; ++i)
    for (int k = 0; k <= sparsity.n; ++k) choices.push_back(static_cast<int64_t>(Choices(i, k)));
  return choices;
}

// Patterns of a group with exactly `kept` numbers that are not 0.
int64_t PatternsWith(int kept, int m) { return static_cast<int64_t>(Choices(m, kept) << kept); }

// For each group with k numbers kept, fewer of which come before: 0, those of 0, those of 0 and 1, and so on.
std::vector<int64_t> PatternsBefore(const PatternCode& pattern) {
  std::vector<int64_t> before = {0};
  for (int kept = 0; kept < pattern.sparsity.n; ++kept)
    before.push_back(pattern.kind == PatternKind::kTernary ? before.back() + PatternsWith(kept, pattern.sparsity.m)
                                                           : 0);
  return before;
}

// levels: (rows, groups, m) -> int64 (rows, groups)
at::Tensor IndexOfLevels(const at::Tensor& levels, const PatternCode& pattern) {
  at::Tensor kept = KeptOfLevels(levels, pattern.sparsity.n);
  if (pattern.kind == PatternKind::kTernary) kept = kept.bitwise_and(levels.ne(0));
  const at::Tensor order = CountsOf(kept), count = order.select(2, pattern.sparsity.m - 1);
  const at::Tensor is_plus = kept.bitwise_and(levels.ge(0)).to(at::kLong);
  const at::Tensor signs = at::bitwise_left_shift(is_plus, (order - 1).clamp_min(0)).sum(2);
  const at::Tensor rank = RanksOfMasks(kept, pattern.sparsity);
  return LookedUp(PatternsBefore(pattern), count) + at::bitwise_left_shift(rank, count) + signs;
}

// int64 (rows, groups) -> float32 (rows, groups, m)
at::Tensor LevelsOfIndex(const at::Tensor& index, const PatternCode& pattern) {
  const auto [n, m] = pattern.sparsity;
  const std::vector<int64_t> before = PatternsBefore(pattern);
  at::Tensor count = at::full_like(index, pattern.kind == PatternKind::kTernary ? 0 : n);
  for (int kept = 1; pattern.kind == PatternKind::kTernary && kept <= n; ++kept)
    count = count + index.ge(before[static_cast<size_t>(kept)]).to(at::kLong);
  const at::Tensor of_count = index - LookedUp(before, count);
  const at::Tensor ranks = at::bitwise_right_shift(of_count, count);
  std::vector<at::Tensor> masks;
  at::Tensor left = count, rank = ranks;
  const std::vector<int64_t> choices = ChoicesOf(pattern.sparsity);
  for (int place = m - 1; place >= 0; --place) {
    const at::Tensor below = LookedUp(choices, left + place * (n + 1));
    const at::Tensor takes = left.gt(0).bitwise_and(rank.ge(below));
    rank = rank - below.masked_fill(takes.bitwise_not(), 0);
    left = left - takes.to(at::kLong);
    masks.insert(masks.begin(), takes);
  }
  const at::Tensor kept = at::stack(masks, 2), places = (CountsOf(kept) - 1).clamp_min(0);
  const at::Tensor sign = at::bitwise_and(at::bitwise_right_shift(of_count.unsqueeze(2), places), 1) * 2 - 1;
  return sign.masked_fill(kept.bitwise_not(), 0).to(at::kFloat);
}

// Numbers below the radix, (rows, words, digits) with the lowest first, as words (rows, words).
at::Tensor WordsOf(const at::Tensor& digits, int64_t radix) {
  at::Tensor words = digits.select(2, digits.size(2) - 1);
  for (int64_t digit = digits.size(2) - 2; digit >= 0; --digit) words = words * radix + digits.select(2, digit);
  return words;
}

// And back: (rows, words digits)
at::Tensor DigitsOf(at::Tensor words, int64_t radix, int digits) {
  std::vector<at::Tensor> each;
  for (int digit = 0; digit + 1 < digits; ++digit) {
    const at::Tensor rest = DividedUnsigned(words, radix);
    each.push_back(words - rest * radix);
    words = rest;
  }
  each.push_back(words);
  return at::stack(each, 2).view({words.size(0), words.size(1) * digits});
}

}  // namespace

at::Tensor PackedFields(const at::Tensor& fields, int bits) { return JoinedBits(BitsOf(fields, bits)); }

at::Tensor UnpackedFields(const at::Tensor& bytes, int64_t n, int bits) {
  if (bits == 8) return bytes.narrow(1, 0, n);
  return FieldsOf(BitsOf(bytes, 8), n, bits);
}

at::Tensor PackedTrits(const at::Tensor& codes) {
  const at::Tensor fives = InGroups(codes, kTritsPerByte);
  at::Tensor bytes = fives.select(2, kTritsPerByte - 1);
  for (int k = kTritsPerByte - 2; k >= 0; --k) bytes = bytes * 3 + fives.select(2, k);
  return bytes;
}

at::Tensor UnpackedTrits(const at::Tensor& bytes, int64_t n) {
  std::vector<at::Tensor> trits;
  at::Tensor rest = bytes.clamp_max(static_cast<int>(kLargestTritByte));
  for (int k = 0; k < kTritsPerByte; ++k) {
    const at::Tensor above = at::div(rest, at::full_like(rest, 3), "floor");
    trits.push_back(rest - above * 3);
    rest = above;
  }
  return at::stack(trits, 2).view({bytes.size(0), bytes.size(1) * kTritsPerByte}).narrow(1, 0, n);
}

at::Tensor RanksOfMasks(const at::Tensor& kept, const SparsityPattern& sparsity) {
  const at::Tensor order = CountsOf(kept), place = Iota(sparsity.m, order);
  const at::Tensor choices = LookedUp(ChoicesOf(sparsity), order + place * (sparsity.n + 1));
  return choices.masked_fill(kept.bitwise_not(), 0).sum(2);
}

at::Tensor MasksOfRanks(const at::Tensor& ranks, const SparsityPattern& sparsity) {
  const PatternCode all_plus{PatternKind::kSigns, sparsity};
  return LevelsOfIndex(at::bitwise_left_shift(ranks, sparsity.n), all_plus).ne(0);
}

at::Tensor KeptOfLevels(const at::Tensor& levels, int n) {
  const at::Tensor is_level = levels.ne(0);
  const at::Tensor kept = is_level.bitwise_and(CountsOf(is_level).le(n)), is_zero = is_level.bitwise_not();
  const at::Tensor missing = kept.to(at::kLong).sum(2, /*keepdim=*/true) * -1 + n;
  return kept.bitwise_or(is_zero.bitwise_and(CountsOf(is_zero).le(missing)));
}

// A number that is kept goes to its place among those, others behind them.
at::Tensor KeptCodes(const at::Tensor& codes, const at::Tensor& kept, int n) {
  const at::Tensor order = CountsOf(kept), behind = Iota(codes.size(2), order) - order + n;
  const at::Tensor places = Select(kept, order - 1, behind);
  return at::zeros_like(codes).scatter(2, places, codes).narrow(2, 0, n);
}

at::Tensor SpreadCodes(const at::Tensor& codes, const at::Tensor& kept) {
  return codes.gather(2, (CountsOf(kept) - 1).clamp_min(0));
}

at::Tensor PackedPatterns(const at::Tensor& levels, const PackedLayout& layout) {
  const at::Tensor index = IndexOfLevels(levels, layout.pattern);
  const int64_t rows = index.size(0), groups = index.size(1), digits = layout.word.digits;
  const int64_t words = groups / digits, whole = words * digits, radix = static_cast<int64_t>(layout.word.radix);
  std::vector<at::Tensor> bits;
  if (words > 0)
    bits.push_back(BitsOf(WordsOf(index.narrow(1, 0, whole).reshape({rows, words, digits}), radix), layout.word.bits));
  if (whole < groups)
    bits.push_back(BitsOf(WordsOf(index.narrow(1, whole, groups - whole).unsqueeze(1), radix), layout.BitsAt(whole)));
  return JoinedBits(at::cat(bits, 1));
}

at::Tensor UnpackedPatterns(const at::Tensor& bytes, const PackedLayout& layout) {
  const int64_t groups = layout.groups_per_row(), words = groups / layout.word.digits;
  const int64_t whole = words * layout.word.digits, radix = static_cast<int64_t>(layout.word.radix);
  const at::Tensor bits = BitsOf(bytes, 8);
  std::vector<at::Tensor> index;
  if (words > 0)
    index.push_back(DigitsOf(FieldsOf(bits, words, layout.word.bits).to(at::kLong), radix, layout.word.digits));
  if (whole < groups) {
    const int64_t begin = words * layout.word.bits;
    const at::Tensor last = bits.narrow(1, begin, bits.size(1) - begin);
    index.push_back(DigitsOf(FieldsOf(last, 1, layout.BitsAt(whole)).to(at::kLong), radix, layout.DigitsAt(whole)));
  }
  return LevelsOfIndex(at::cat(index, 1), layout.pattern);
}

}  // namespace ridgeline
