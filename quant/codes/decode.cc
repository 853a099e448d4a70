// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "method/hadamard_sign.h"
#include "quant/codes/packed_tensor.h"
#include "quant/codes/row_levels.h"
#include "quant/codes/statistics_bytes.h"
#include "quant/kernels/hadamard.h"
#include "quant/kernels/narrow.h"

namespace ridgeline {
namespace {

// Reads rows of codes as what they stand for.
class RowReader {
 public:
  explicit RowReader(const PackedView& packed)
      : packed_(packed),
        levels_(packed, [](float level) { return level; }),
        statistics_(static_cast<size_t>(packed.layout.blocks_per_row)) {}

  // x_hat: `features` numbers.
  void Read(int64_t row, float* x_hat) {
    const PackedLayout& layout = packed_.layout;
    for (int64_t block = 0; block < layout.blocks_per_row; ++block)
      statistics_[static_cast<size_t>(block)] = LoadStatistics(packed_, layout.FirstBlock(row) + block);
    levels_.Read(row, statistics_.data(), x_hat);
    for (int64_t block = 0; block < layout.blocks_per_row; ++block) {
      const BlockStatistics& statistics = statistics_[static_cast<size_t>(block)];
      const int64_t begin = block * layout.block, end = std::min(begin + layout.block, layout.features);
      // Levels have few digits and scales eleven: the product is exact, and fusing the sum changes nothing.
      for (int64_t i = begin; i < end; ++i) x_hat[i] = x_hat[i] * statistics.scale + statistics.offset;
    }
  }

 private:
  const PackedView& packed_;
  RowLevels<float> levels_;
  std::vector<BlockStatistics> statistics_;  // Of the row's blocks.
};

// x = D H y, block by block.
void RotateBack(const PackedLayout& layout, float* y) {
  for (int64_t begin = 0; begin < layout.features; begin += layout.block) Hadamard(y + begin, layout.block, y + begin);
  if (!layout.spec.hadamard_signs) return;
  for (int64_t i = 0; i < layout.features; ++i)
    if (HadamardSign(i) < 0) y[i] = -y[i];
}

// Calls emit(i, x_hat of row_of(i)) for each i of 0 .. count - 1.
template <typename RowOf, typename Emit>
void ForEachRow(const PackedView& packed, int64_t count, const RowOf& row_of, Rotated rotated, const Emit& emit) {
  RowReader reader(packed);
  std::vector<float> numbers(static_cast<size_t>(packed.layout.features));
  for (int64_t i = 0; i < count; ++i) {
    reader.Read(row_of(i), numbers.data());
    if (packed.layout.spec.hadamard && rotated == Rotated::kBack) RotateBack(packed.layout, numbers.data());
    emit(i, numbers.data());
  }
}

}  // namespace

PackedTensor CopyOf(const PackedView& view) {
  const auto copy = [](std::span<const uint8_t> bytes) { return std::vector<uint8_t>(bytes.begin(), bytes.end()); };
  return {view.layout,        copy(view.codes), copy(view.masks),     copy(view.scales),
          copy(view.offsets), copy(view.steps), copy(view.selectors), view.tensor_scale};
}

void DecodeRows(const PackedView& packed, int64_t begin, int64_t end, Rotated rotated, float* x_hat) {
  const int64_t features = packed.layout.features;
  ForEachRow(
      packed, end - begin, [&](int64_t i) { return begin + i; }, rotated,
      [&](int64_t i, const float* numbers) { std::copy_n(numbers, features, x_hat + i * features); });
}

void DecodeRows(const PackedView& packed, std::span<const int64_t> rows, Rotated rotated, float* x_hat) {
  const int64_t features = packed.layout.features;
  ForEachRow(
      packed, static_cast<int64_t>(rows.size()), [&](int64_t i) { return rows[static_cast<size_t>(i)]; }, rotated,
      [&](int64_t i, const float* numbers) { std::copy_n(numbers, features, x_hat + i * features); });
}

void DecodeRows(const PackedView& packed, int64_t begin, int64_t end, Rotated rotated, BFloat16* x_hat) {
  const int64_t features = packed.layout.features;
  const NarrowFunction narrow = NarrowFunctions().front();
  ForEachRow(
      packed, end - begin, [&](int64_t i) { return begin + i; }, rotated,
      [&](int64_t i, const float* numbers) { narrow(numbers, features, x_hat + i * features); });
}

}  // namespace ridgeline
