// SPDX-License-Identifier: Apache-2.0
#include "quant/codes/statistics_bytes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "common/half.h"
#include "quant/codes/code_book.h"

namespace ridgeline {
namespace {

constexpr auto kLargestFloat16 = static_cast<float>(kFloat16.largest);
constexpr uint8_t kNanPowerOfTwo = 0xFF, kOne = 127, kNanE4m3 = 0x7F;

const CodeBook& E4m3Book() {
  static const CodeBook& book =
      *new CodeBook(*CodeBookOf({.estimator = "ste", .format = Format::kFp8E4M3, .scheme = Scheme::kLinear}));
  return book;
}

void StoreHalf(float value, uint8_t* bytes) {
  const uint16_t half = HalfFromFloat(value);
  std::memcpy(bytes, &half, sizeof(half));
}
float LoadHalf(const uint8_t* bytes) {
  uint16_t half;
  std::memcpy(&half, bytes, sizeof(half));
  return FloatFromHalf(half);
}

// Of a power of two, 0 or NaN. A block of zeros has zeros for codes, whatever its scale.
uint8_t PowerOfTwoByte(float scale) {
  if (std::isnan(scale)) return kNanPowerOfTwo;
  return scale > 0 ? static_cast<uint8_t>(std::bit_cast<uint32_t>(scale) >> 23) : kOne;
}
float PowerOfTwoOf(uint8_t byte) {
  if (byte == kNanPowerOfTwo) return std::bit_cast<float>(0x7FC00000u);
  return byte == 0 ? 0x1p-127f : std::bit_cast<float>(static_cast<uint32_t>(byte) << 23);
}

uint8_t E4m3Byte(float scale, float tensor_scale) {
  if (std::isnan(scale)) return kNanE4m3;
  return scale > 0 ? E4m3Book().CodeOf(scale / tensor_scale) : 0;
}

void StoreSelector(const BlockStatistics& statistics, int64_t block, PackedTensor* packed) {
  const PackedLayout& layout = packed->layout;
  if (layout.selector_row_bytes == 0) return;
  const int64_t row = block / layout.blocks_per_row, column = block % layout.blocks_per_row;
  uint8_t* byte = packed->selectors.data() + row * layout.selector_row_bytes + column / 4;
  *byte = static_cast<uint8_t>(*byte | SelectorOfBitMod(layout.spec.format, statistics.extra) << (column % 4 * 2));
}

// Of scales that are stored alone.
void StoreBlock(const BlockStatistics& statistics, int64_t block, PackedTensor* packed) {
  const PackedLayout& layout = packed->layout;
  const Format format = layout.spec.format;
  uint8_t* scale = packed->scales.data() + block * layout.scale_bytes;
  switch (ScaleEncodingOf(format)) {
    case ScaleEncoding::kFloat16:
      StoreHalf(statistics.scale * static_cast<float>(StoredScaleFactor(format)), scale);
      break;
    case ScaleEncoding::kPowerOfTwo:
      *scale = PowerOfTwoByte(statistics.scale);
      break;
    case ScaleEncoding::kE4m3:
      *scale = E4m3Byte(statistics.scale, packed->tensor_scale);
      break;
  }
  if (layout.has_offsets) StoreHalf(statistics.offset, packed->offsets.data() + block * 2);
  StoreSelector(statistics, block, packed);
}

// Steps of a row: the largest number has 127 of them. Whole numbers of them are to nearest; -128 stands for NaN.
constexpr int kMostSteps = 127, kNanSteps = -128;

// A number is the float16 of so many steps: with no more digits than one that is stored alone.
float NumberOfSteps(uint8_t byte, const uint8_t* step) {
  const auto count = static_cast<int8_t>(byte);
  return count == kNanSteps ? std::bit_cast<float>(0x7FC00000u)
                            : StoredFloat16(static_cast<float>(count) * LoadHalf(step));
}

// The float16 of which the largest number has at most 127: never 0 but for a row of zeros.
float StepOf(float largest) {
  const float wanted = std::min(largest / kMostSteps, kLargestFloat16);
  const uint16_t nearest = HalfFromFloat(wanted);
  return FloatFromHalf(FloatFromHalf(nearest) < wanted ? static_cast<uint16_t>(nearest + 1) : nearest);
}

// Writes numbers(0) .. numbers(count - 1) and the step that they are multiples of.
template <typename Numbers>
void StoreInSteps(const Numbers& numbers, int64_t count, uint8_t* step_bytes, uint8_t* bytes) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i)
    if (!std::isnan(numbers(i))) largest = std::max(largest, std::abs(numbers(i)));
  const float step = StepOf(largest);
  StoreHalf(step, step_bytes);
  for (int64_t i = 0; i < count; ++i) {
    const float steps = step > 0 ? std::nearbyint(numbers(i) / step) : 0;
    const bool is_nan = std::isnan(numbers(i));
    bytes[i] =
        static_cast<uint8_t>(is_nan ? kNanSteps : static_cast<int>(std::clamp<float>(steps, -kMostSteps, kMostSteps)));
  }
}

void StoreSteps(const BlockStatistics* of_row, int64_t row, PackedTensor* packed) {
  const PackedLayout& layout = packed->layout;
  const int64_t count = layout.blocks_per_row, first = row * count;
  const auto factor = static_cast<float>(StoredScaleFactor(layout.spec.format));
  uint8_t* steps = packed->steps.data() + row * layout.steps_of_row * 2;
  StoreInSteps([&](int64_t i) { return of_row[i].scale * factor; }, count, steps, packed->scales.data() + first);
  if (layout.has_offsets)
    StoreInSteps([&](int64_t i) { return of_row[i].offset; }, count, steps + 2, packed->offsets.data() + first);
  for (int64_t i = 0; i < count; ++i) StoreSelector(of_row[i], first + i, packed);
}

}  // namespace

float StoredFloat16(float value) {
  if (std::isnan(value)) return value;
  return FloatFromHalf(HalfFromFloat(std::clamp(value, -kLargestFloat16, kLargestFloat16)));
}

float TensorScaleOf(const QuantizerSpec& spec) {
  if (!(spec.tensor_max > 0)) return 1;
  return static_cast<float>(spec.tensor_max) /
         (static_cast<float>(kE4M3.largest) * static_cast<float>(LargestElement(spec.format)));
}

void StoreStatistics(const BlockStatistics* of_row, int64_t row, PackedTensor* packed) {
  const PackedLayout& layout = packed->layout;
  if (layout.steps_of_row > 0) return StoreSteps(of_row, row, packed);
  for (int64_t i = 0; i < layout.blocks_per_row; ++i) StoreBlock(of_row[i], layout.FirstBlock(row) + i, packed);
}

BlockStatistics LoadStatistics(const PackedView& packed, int64_t block) {
  const PackedLayout& layout = packed.layout;
  const Format format = layout.spec.format;
  const uint8_t* scale = packed.scales.data() + block * layout.scale_bytes;
  BlockStatistics statistics;
  if (layout.steps_of_row > 0) {
    const uint8_t* steps = packed.steps.data() + block / layout.blocks_per_row * layout.steps_of_row * 2;
    statistics.scale = NumberOfSteps(*scale, steps) / static_cast<float>(StoredScaleFactor(format));
    if (layout.has_offsets) statistics.offset = NumberOfSteps(packed.offsets[static_cast<size_t>(block)], steps + 2);
  } else {
    switch (ScaleEncodingOf(format)) {
      case ScaleEncoding::kFloat16:
        statistics.scale = LoadHalf(scale) / static_cast<float>(StoredScaleFactor(format));
        break;
      case ScaleEncoding::kPowerOfTwo:
        statistics.scale = PowerOfTwoOf(*scale);
        break;
      case ScaleEncoding::kE4m3:
        statistics.scale = E4m3Book().levels()[*scale] * packed.tensor_scale;
        break;
    }
    if (layout.has_offsets) statistics.offset = LoadHalf(packed.offsets.data() + block * 2);
  }
  if (layout.selector_row_bytes == 0) return statistics;
  const int64_t row = block / layout.blocks_per_row, column = block % layout.blocks_per_row;
  const uint8_t byte = packed.selectors[static_cast<size_t>(row * layout.selector_row_bytes + column / 4)];
  statistics.extra = BitModExtras(format)[byte >> (column % 4 * 2) & 3];
  return statistics;
}

}  // namespace ridgeline
