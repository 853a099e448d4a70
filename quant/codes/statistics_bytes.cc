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

void StoreStatistics(const BlockStatistics& statistics, int64_t block, PackedTensor* packed) {
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
  if (layout.selector_row_bytes == 0) return;
  const int64_t row = block / layout.blocks_per_row, column = block % layout.blocks_per_row;
  uint8_t* byte = packed->selectors.data() + row * layout.selector_row_bytes + column / 4;
  *byte = static_cast<uint8_t>(*byte | SelectorOfBitMod(format, statistics.extra) << (column % 4 * 2));
}

BlockStatistics LoadStatistics(const PackedView& packed, int64_t block) {
  const PackedLayout& layout = packed.layout;
  const Format format = layout.spec.format;
  const uint8_t* scale = packed.scales.data() + block * layout.scale_bytes;
  BlockStatistics statistics;
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
  if (layout.selector_row_bytes == 0) return statistics;
  const int64_t row = block / layout.blocks_per_row, column = block % layout.blocks_per_row;
  const uint8_t byte = packed.selectors[static_cast<size_t>(row * layout.selector_row_bytes + column / 4)];
  statistics.extra = BitModExtras(format)[byte >> (column % 4 * 2) & 3];
  return statistics;
}

}  // namespace ridgeline
