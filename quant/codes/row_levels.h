// SPDX-License-Identifier: Apache-2.0
// The levels of a packed matrix, row by row, in the numbers that the reader works with.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "quant/codes/bits.h"
#include "quant/codes/code_book.h"
#include "quant/codes/packed_tensor.h"
#include "quant/kernels/block_statistics.h"

namespace ridgeline {

// Level is float, or whole numbers that levels are so many steps of. Refers to the matrix; one thread.
template <typename Level>
class RowLevels {
 public:
  // convert(float level) -> Level; a pruned number is Level(0). REQUIRES: CheckPacked.
  template <typename Convert>
  RowLevels(const PackedView& packed, const Convert& convert)
      : packed_(packed),
        layout_(packed.layout),
        book_(*CodeBookOf(layout_.spec)),
        codes_(static_cast<size_t>(layout_.features)),
        extras_(static_cast<size_t>(layout_.blocks_per_row)) {
    for (float level : book_.levels()) level_of_code_.push_back(convert(level));
    for (size_t selector = 0; IsBitMod(layout_.spec.format) && selector < 4; ++selector)
      level_of_extra_.push_back(convert(BitModExtras(layout_.spec.format)[selector]));
    if (layout_.storage == CodeStorage::kPatterns) FillTable();
  }

  const std::vector<Level>& level_of_code() const { return level_of_code_; }

  // levels: `features` of them. `statistics` are those of the row's blocks.
  void Read(int64_t row, const BlockStatistics* statistics, Level* levels) {
    for (size_t block = 0; !level_of_extra_.empty() && block < extras_.size(); ++block)
      extras_[block] = level_of_extra_[SelectorOfBitMod(layout_.spec.format, statistics[block].extra)];
    const uint8_t* bytes = packed_.codes.data() + row * layout_.code_row_bytes;
    switch (layout_.storage) {
      case CodeStorage::kBits:
        UnpackBits(bytes, layout_.features, layout_.code_bits, codes_.data());
        return SetLevels(levels);
      case CodeStorage::kTrits:
        UnpackTrits(bytes, layout_.features, codes_.data());
        return SetLevels(levels);
      case CodeStorage::kKept:
        return ReadKept(bytes, packed_.masks.data() + row * layout_.mask_row_bytes, levels);
      case CodeStorage::kPatterns:
        return ReadPatterns(bytes, levels);
    }
  }

 private:
  // Patterns of which each has its levels in a table.
  static constexpr uint64_t kPatternsInTable = 4096;

  // Of a code at a place in the row, which matters to BitMoD's own level alone.
  Level LevelOf(uint8_t code, int64_t i) const {
    return code == book_.extra_code() ? extras_[static_cast<size_t>(i / layout_.block)] : level_of_code_[code];
  }

  void SetLevels(Level* levels) const {
    const Level* level_of = level_of_code_.data();
    for (int64_t i = 0; i < layout_.features; ++i) levels[i] = level_of[codes_[static_cast<size_t>(i)]];
    for (int64_t i = 0; book_.extra_code() >= 0 && i < layout_.features; ++i)
      levels[i] = LevelOf(codes_[static_cast<size_t>(i)], i);
  }

  void ReadKept(const uint8_t* bytes, const uint8_t* masks, Level* levels) {
    const auto [n, m] = layout_.spec.sparsity;
    UnpackBits(bytes, layout_.groups_per_row() * n, layout_.code_bits, codes_.data());
    BitReader mask_reader(masks, layout_.mask_row_bytes);
    const uint8_t* next = codes_.data();
    for (int64_t begin = 0; begin < layout_.features; begin += m) {
      const uint32_t mask = MaskOfRank(mask_reader.Read(layout_.mask_bits), n, m);
      for (int i = 0; i < m; ++i) levels[begin + i] = (mask >> i & 1) != 0 ? LevelOf(*next++, begin + i) : Level(0);
    }
  }

  void FillTable() {
    const uint64_t count = layout_.pattern.count();
    if (count > kPatternsInTable) return;
    const auto m = static_cast<size_t>(layout_.spec.sparsity.m);
    table_.resize(count * m);
    for (uint64_t index = 0; index < count; ++index) ComputeLevels(index, table_.data() + index * m);
  }

  void ComputeLevels(uint64_t index, Level* levels) const {
    std::array<int8_t, kLargestSparsityGroup> signs;
    layout_.pattern.LevelsOf(index, signs.data());
    for (int i = 0; i < layout_.spec.sparsity.m; ++i) {
      const int8_t sign = signs[static_cast<size_t>(i)];
      levels[i] = sign == 0 ? Level(0) : sign > 0 ? level_of_code_.back() : level_of_code_.front();
    }
  }

  uint64_t TakeDigit(uint64_t* word) const {
    const uint64_t radix = layout_.word.radix, rest = layout_.word.bits <= 32
                                                          ? static_cast<uint32_t>(*word) / static_cast<uint32_t>(radix)
                                                          : *word / radix;
    const uint64_t digit = *word - rest * radix;
    *word = rest;
    return digit;
  }

  static void CopyGroup(const Level* from, int m, Level* to) {
    if (m == 4)
      std::copy_n(from, 4, to);
    else if (m == 8)
      std::copy_n(from, 8, to);
    else
      std::copy_n(from, m, to);
  }

  void ReadPatterns(const uint8_t* bytes, Level* levels) const {
    BitReader reader(bytes, layout_.code_row_bytes);
    const int64_t groups = layout_.groups_per_row(), whole = groups - groups % layout_.word.digits;
    const int digits = layout_.word.digits, bits = layout_.word.bits, m = layout_.spec.sparsity.m;
    for (int64_t begin = 0; begin < whole; begin += digits) SetGroups(reader.Read(bits), digits, m, levels + begin * m);
    if (whole < groups) SetGroups(reader.Read(layout_.BitsAt(whole)), layout_.DigitsAt(whole), m, levels + whole * m);
  }

  // Of the groups of a word.
  void SetGroups(uint64_t word, int digits, int m, Level* levels) const {
    for (int digit = 0; digit < digits; ++digit) {
      const uint64_t index = digit + 1 == digits ? word : TakeDigit(&word);
      if (table_.empty())
        ComputeLevels(index, levels + digit * m);
      else
        CopyGroup(table_.data() + index * static_cast<uint64_t>(m), m, levels + digit * m);
    }
  }

  const PackedView& packed_;
  const PackedLayout& layout_;
  const CodeBook book_;
  std::vector<Level> level_of_code_, level_of_extra_;  // The second by selectors.
  std::vector<uint8_t> codes_;
  std::vector<Level> extras_;  // Of the row's blocks.
  std::vector<Level> table_;   // (patterns, m)
};

}  // namespace ridgeline
