// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "method/hadamard_sign.h"
#include "quant/codes/bits.h"
#include "quant/codes/code_book.h"
#include "quant/codes/packed_tensor.h"
#include "quant/codes/statistics_bytes.h"
#include "quant/kernels/hadamard.h"
#include "quant/kernels/narrow.h"

namespace ridgeline {
namespace {

// Patterns of which each has its levels in a table.
constexpr uint64_t kPatternsInTable = 4096;

// Calls function(group, index) for the patterns of a row.
template <typename Function>
void ForEachPattern(const PackedLayout& layout, const uint8_t* bytes, const Function& function) {
  BitReader reader(bytes);
  for (int64_t begin = 0; begin < layout.groups_per_row(); begin += layout.word.digits) {
    uint64_t word = reader.Read(layout.BitsAt(begin));
    for (int digit = 0; digit < layout.DigitsAt(begin); ++digit, word /= layout.word.radix)
      function(begin + digit, word % layout.word.radix);
  }
}

// Reads rows of codes.
class RowReader {
 public:
  explicit RowReader(const PackedView& packed)
      : packed_(packed),
        layout_(packed.layout),
        book_(*CodeBookOf(layout_.spec)),
        codes_(static_cast<size_t>(layout_.features)),
        statistics_(static_cast<size_t>(layout_.blocks_per_row)) {
    if (layout_.storage == CodeStorage::kPatterns) FillTable();
  }

  // x_hat: `features` numbers.
  void Read(int64_t row, float* x_hat) {
    for (int64_t block = 0; block < layout_.blocks_per_row; ++block)
      statistics_[static_cast<size_t>(block)] = LoadStatistics(packed_, layout_.FirstBlock(row) + block);
    ReadLevels(row, x_hat);
    for (int64_t block = 0; block < layout_.blocks_per_row; ++block) {
      const BlockStatistics& statistics = statistics_[static_cast<size_t>(block)];
      const int64_t begin = block * layout_.block, end = std::min(begin + layout_.block, layout_.features);
      // Levels have few digits and scales eleven: the product is exact, and fusing the sum changes nothing.
      for (int64_t i = begin; i < end; ++i) x_hat[i] = x_hat[i] * statistics.scale + statistics.offset;
    }
  }

 private:
  void ReadLevels(int64_t row, float* levels) {
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

  // Of a code at a place in the row, which matters to BitMoD's own level alone.
  float LevelOf(uint8_t code, int64_t i) const {
    if (code == book_.extra_code()) return statistics_[static_cast<size_t>(i / layout_.block)].extra;
    return book_.levels()[code];
  }

  void SetLevels(float* levels) const {
    const float* level_of = book_.levels().data();
    for (int64_t i = 0; i < layout_.features; ++i) levels[i] = level_of[codes_[static_cast<size_t>(i)]];
    for (int64_t i = 0; book_.extra_code() >= 0 && i < layout_.features; ++i)
      levels[i] = LevelOf(codes_[static_cast<size_t>(i)], i);
  }

  void ReadKept(const uint8_t* bytes, const uint8_t* masks, float* levels) {
    const auto [n, m] = layout_.spec.sparsity;
    UnpackBits(bytes, layout_.groups_per_row() * n, layout_.code_bits, codes_.data());
    BitReader mask_reader(masks);
    const uint8_t* next = codes_.data();
    for (int64_t begin = 0; begin < layout_.features; begin += m) {
      const uint32_t mask = MaskOfRank(mask_reader.Read(layout_.mask_bits), n, m);
      for (int i = 0; i < m; ++i) levels[begin + i] = (mask >> i & 1) != 0 ? LevelOf(*next++, begin + i) : 0;
    }
  }

  void FillTable() {
    const uint64_t count = layout_.pattern.count();
    if (count > kPatternsInTable) return;
    const auto m = static_cast<size_t>(layout_.spec.sparsity.m);
    table_.resize(count * m);
    for (uint64_t index = 0; index < count; ++index) ComputeLevels(index, table_.data() + index * m);
  }

  void ComputeLevels(uint64_t index, float* levels) const {
    std::array<int8_t, kLargestSparsityGroup> signs;
    layout_.pattern.LevelsOf(index, signs.data());
    for (int i = 0; i < layout_.spec.sparsity.m; ++i)
      levels[i] = static_cast<float>(signs[static_cast<size_t>(i)]) * book_.levels().back();
  }

  void ReadPatterns(const uint8_t* bytes, float* levels) const {
    const int m = layout_.spec.sparsity.m;
    ForEachPattern(layout_, bytes, [&](int64_t group, uint64_t index) {
      if (table_.empty())
        ComputeLevels(index, levels + group * m);
      else
        std::copy_n(table_.data() + index * static_cast<uint64_t>(m), m, levels + group * m);
    });
  }

  const PackedView& packed_;
  const PackedLayout& layout_;
  const CodeBook book_;
  std::vector<uint8_t> codes_;
  std::vector<BlockStatistics> statistics_;  // Of the row's blocks.
  std::vector<float> table_;                 // (patterns, m)
};

// x = D H y, block by block.
void RotateBack(const PackedLayout& layout, float* y) {
  for (int64_t begin = 0; begin < layout.features; begin += layout.block) Hadamard(y + begin, layout.block, y + begin);
  if (!layout.spec.hadamard_signs) return;
  for (int64_t i = 0; i < layout.features; ++i)
    if (HadamardSign(i) < 0) y[i] = -y[i];
}

// Calls emit(row, x_hat) for each.
template <typename Emit>
void ForEachRow(const PackedView& packed, int64_t begin, int64_t end, Rotated rotated, const Emit& emit) {
  RowReader reader(packed);
  std::vector<float> numbers(static_cast<size_t>(packed.layout.features));
  for (int64_t row = begin; row < end; ++row) {
    reader.Read(row, numbers.data());
    if (packed.layout.spec.hadamard && rotated == Rotated::kBack) RotateBack(packed.layout, numbers.data());
    emit(row - begin, numbers.data());
  }
}

}  // namespace

void DecodeRows(const PackedView& packed, int64_t begin, int64_t end, Rotated rotated, float* x_hat) {
  const int64_t features = packed.layout.features;
  ForEachRow(packed, begin, end, rotated,
             [&](int64_t row, const float* numbers) { std::copy_n(numbers, features, x_hat + row * features); });
}

void DecodeRows(const PackedView& packed, int64_t begin, int64_t end, Rotated rotated, BFloat16* x_hat) {
  const int64_t features = packed.layout.features;
  const NarrowFunction narrow = NarrowFunctions().front();
  ForEachRow(packed, begin, end, rotated,
             [&](int64_t row, const float* numbers) { narrow(numbers, features, x_hat + row * features); });
}

}  // namespace ridgeline
