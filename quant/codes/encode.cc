// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>

#include "fmt/format.h"
#include "method/estimator_traits.h"
#include "method/resolved_spec.h"
#include "quant/codes/bits.h"
#include "quant/codes/code_book.h"
#include "quant/codes/packed_tensor.h"
#include "quant/codes/statistics_bytes.h"
#include "quant/kernels/estimator.h"
#include "quant/kernels/kernel_matrix.h"
#include "quant/kernels/learned_scale.h"

namespace ridgeline {
namespace {

// Numbers whose levels are held at once, where rows are quantized alone.
constexpr int64_t kLevelsAtOnce = int64_t{1} << 20;

PackedTensor EmptyTensor(const PackedLayout& layout) {
  const auto bytes = [](int64_t n) { return std::vector<uint8_t>(static_cast<size_t>(n)); };
  return {layout,
          bytes(layout.code_bytes()),
          bytes(layout.mask_bytes()),
          bytes(layout.all_scale_bytes()),
          bytes(layout.offset_bytes()),
          bytes(layout.step_bytes()),
          bytes(layout.selector_bytes())};
}

// Writes rows of levels as codes.
class RowWriter {
 public:
  RowWriter(const CodeBook& book, PackedTensor* packed)
      : book_(book), layout_(packed->layout), packed_(*packed), codes_(static_cast<size_t>(layout_.features)) {}

  // `extras` are BitMoD's own levels of the row's blocks.
  void Write(int64_t row, const float* levels, const float* extras) {
    uint8_t* bytes = packed_.codes.data() + row * layout_.code_row_bytes;
    switch (layout_.storage) {
      case CodeStorage::kBits:
        SetCodes(levels, extras);
        return PackBits(codes_.data(), layout_.features, layout_.code_bits, bytes);
      case CodeStorage::kTrits:
        SetCodes(levels, extras);
        return PackTrits(codes_.data(), layout_.features, bytes);
      case CodeStorage::kKept:
        return WriteKept(levels, extras, bytes, packed_.masks.data() + row * layout_.mask_row_bytes);
      case CodeStorage::kPatterns:
        return WritePatterns(levels, bytes);
    }
  }

 private:
  uint8_t CodeAt(const float* levels, const float* extras, int64_t i) const {
    const float extra = book_.extra_code() < 0 ? 0 : extras[i / layout_.block];
    return extra != 0 && levels[i] == extra ? static_cast<uint8_t>(book_.extra_code()) : book_.CodeOf(levels[i]);
  }

  void SetCodes(const float* levels, const float* extras) {
    for (int64_t i = 0; i < layout_.features; ++i) codes_[static_cast<size_t>(i)] = CodeAt(levels, extras, i);
  }

  // What is not 0 is kept, and what is missing is made up by the first zeros: a kept zero is one of them, or its block
  // has no scale.
  void WriteKept(const float* levels, const float* extras, uint8_t* bytes, uint8_t* masks) {
    const auto [n, m] = layout_.spec.sparsity;
    BitWriter mask_writer(masks);
    uint8_t* next = codes_.data();
    for (int64_t begin = 0; begin < layout_.features; begin += m) {
      uint32_t mask = 0;
      int missing = n;
      for (const bool fills : {false, true})
        for (int i = 0; i < m && missing > 0; ++i)
          if ((mask >> i & 1) == 0 && (fills || levels[begin + i] != 0)) mask |= 1u << i, --missing;
      mask_writer.Write(RankOfMask(mask), layout_.mask_bits);
      for (int i = 0; i < m; ++i)
        if ((mask >> i & 1) != 0) *next++ = CodeAt(levels, extras, begin + i);
    }
    PackBits(codes_.data(), next - codes_.data(), layout_.code_bits, bytes);
  }

  void WritePatterns(const float* levels, uint8_t* bytes) {
    const int m = layout_.spec.sparsity.m;
    BitWriter writer(bytes);
    std::array<int8_t, kLargestSparsityGroup> group;
    for (int64_t begin = 0; begin < layout_.groups_per_row(); begin += layout_.word.digits) {
      const int digits = layout_.DigitsAt(begin);
      uint64_t word = 0;
      for (int digit = digits - 1; digit >= 0; --digit) {
        for (int i = 0; i < m; ++i) {
          const float level = levels[(begin + digit) * m + i];
          group[static_cast<size_t>(i)] = static_cast<int8_t>(level > 0 ? 1 : level < 0 ? -1 : 0);
        }
        word = word * layout_.word.radix + layout_.pattern.IndexOf(group.data());
      }
      writer.Write(word, layout_.BitsAt(begin));
    }
  }

  const CodeBook& book_;
  const PackedLayout& layout_;
  PackedTensor& packed_;
  std::vector<uint8_t> codes_;
};

// Of the shared grids, and of those with statistics of their own.
void EncodeByKernels(const QuantizerSpec& spec, const CodeBook& book, const float* x, PackedTensor* packed) {
  const PackedLayout& layout = packed->layout;
  const Estimator& estimator = **EstimatorFor(spec);
  const bool is_one_block = spec.granularity == Granularity::kTensor;
  const int64_t rows_at_once = is_one_block ? layout.rows : std::max<int64_t>(1, kLevelsAtOnce / layout.features);
  std::vector<float> levels(static_cast<size_t>(std::min(rows_at_once, layout.rows) * layout.features)), extras;
  std::vector<BlockStatistics> statistics;
  RowWriter writer(book, packed);
  for (int64_t begin = 0; begin < layout.rows; begin += rows_at_once) {
    const int64_t rows = std::min(rows_at_once, layout.rows - begin);
    const KernelMatrix matrix = KernelMatrixOf(spec, rows, layout.features);
    const int64_t blocks = (is_one_block ? 1 : rows) * layout.blocks_per_row;
    statistics.assign(static_cast<size_t>(blocks), {});
    estimator.Encode(matrix.spec, x + begin * layout.features, matrix.rows, matrix.features, levels.data(),
                     statistics.data());
    extras.resize(static_cast<size_t>(blocks));
    for (int64_t block = 0; block < blocks; ++block)
      extras[static_cast<size_t>(block)] = statistics[static_cast<size_t>(block)].extra;
    for (int64_t row = 0; row < (is_one_block ? 1 : rows); ++row)
      StoreStatistics(statistics.data() + row * layout.blocks_per_row, begin + row, packed);
    for (int64_t row = 0; row < rows; ++row)
      writer.Write(begin + row, levels.data() + row * layout.features,
                   extras.data() + (is_one_block ? 0 : row * layout.blocks_per_row));
  }
}

// x_hat is a level times the scale: of each number that level whose product it is.
class LevelOfProduct {
 public:
  LevelOfProduct(const CodeBook& book, float scale) {
    for (const float level : book.levels())
      if (!std::isnan(level)) products_.emplace_back(level * scale, level);
    std::sort(products_.begin(), products_.end());
  }
  float operator()(float x_hat) const {
    const auto found = std::lower_bound(products_.begin(), products_.end(), std::pair(x_hat, -INFINITY));
    return found == products_.end() ? products_.back().second : found->second;
  }

 private:
  std::vector<std::pair<float, float>> products_;
};

void EncodeLearned(const QuantizerSpec& spec, const CodeBook& book, const float* x, std::span<const float> scales,
                   PackedTensor* packed) {
  const PackedLayout& layout = packed->layout;
  const LearnedLevels levels_of = *LearnedLevelsOf(spec);
  std::vector<float> levels(static_cast<size_t>(layout.features));
  RowWriter writer(book, packed);
  bool has_nan = false;
  for (int64_t row = 0; row < layout.rows; ++row) {
    const float learned = scales[scales.size() == 1 ? 0 : static_cast<size_t>(row)];
    const float scale = StoredFloat16(std::max(learned, static_cast<float>(kSmallestLearnedScale)));
    LearnedScaleForward(levels_of, x + row * layout.features, &scale, 1, layout.features, levels.data());
    const bool is_nan = std::isnan(levels[0]);  // As a whole, or not at all.
    has_nan = is_nan || (has_nan && scales.size() == 1);
    const LevelOfProduct level_of(book, scale);
    for (float& level : levels) level = is_nan ? 0 : level_of(level);
    writer.Write(row, levels.data(), nullptr);
    const BlockStatistics statistics{.scale = has_nan ? NAN : scale};
    StoreStatistics(&statistics, scales.size() == 1 ? 0 : row, packed);
  }
}

}  // namespace

absl::StatusOr<PackedTensor> Encode(const QuantizerSpec& spec, std::span<const float> x, int64_t rows, int64_t features,
                                    std::span<const float> learned_scales) {
  const absl::StatusOr<PackedLayout> layout = PackedLayoutOf(spec, rows, features);
  if (!layout.ok()) return layout.status();
  if (static_cast<int64_t>(x.size()) != rows * features)
    return absl::InvalidArgumentError(
        fmt::format("{} numbers are no matrix of {} rows of {} numbers", x.size(), rows, features));
  const int64_t scales = spec.learns_scale() ? layout->statistics_rows : 0;
  if (static_cast<int64_t>(learned_scales.size()) != scales)
    return absl::InvalidArgumentError(
        fmt::format("{} has {} learned scales here, and {} are given", spec.estimator, scales, learned_scales.size()));
  const CodeBook book = *CodeBookOf(spec);
  PackedTensor packed = EmptyTensor(*layout);
  if (spec.learns_scale()) {
    EncodeLearned(spec, book, x.data(), learned_scales, &packed);
    return packed;
  }
  QuantizerSpec stored = spec;
  if (stored.scale_precision == ScalePrecision::kComputed) stored.scale_precision = ScalePrecision::kFloat16;
  if (layout->has_tensor_scale) {
    stored.tensor_max = LargestOfMatrix(spec, x.data(), rows, features);
    packed.tensor_scale = TensorScaleOf(stored);
  }
  EncodeByKernels(stored, book, x.data(), &packed);
  return packed;
}

}  // namespace ridgeline
