// SPDX-License-Identifier: Apache-2.0
#include "weights/block_codes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "common/half.h"
#include "weights/blocks.h"

namespace ridgeline {
namespace {

using Wholes = std::span<const int8_t>;

struct Range {
  Dtype dtype;
  int smallest, largest;
};
// Q1_0 and MXFP4 do without some numbers between.
constexpr std::array<Range, 10> kRanges = {{{Dtype::kQ1_0, -1, 1},
                                            {Dtype::kTQ1_0, -1, 1},
                                            {Dtype::kTQ2_0, -1, 2},
                                            {Dtype::kQ2_0, -1, 2},
                                            {Dtype::kMXFP4, -12, 12},
                                            {Dtype::kQ4_0, -8, 7},
                                            {Dtype::kQ4_1, 0, 15},
                                            {Dtype::kQ5_0, -16, 15},
                                            {Dtype::kQ5_1, 0, 31},
                                            {Dtype::kQ8_0, -128, 127}}};

constexpr std::array<Dtype, kRanges.size()> Types() {
  std::array<Dtype, kRanges.size()> types{};
  for (size_t i = 0; i < types.size(); ++i) types[i] = kRanges[i].dtype;
  return types;
}
constexpr std::array<Dtype, kRanges.size()> kTypes = Types();

// E2M1, doubled.
constexpr std::array<int, 8> kTwiceE2M1 = {0, 1, 2, 3, 4, 6, 8, 12};

int CodeOfE2M1(int twice) {
  const auto* found = std::find(kTwiceE2M1.begin(), kTwiceE2M1.end(), std::abs(twice));
  return static_cast<int>(found - kTwiceE2M1.begin()) + (twice < 0 ? 8 : 0);
}

// One that holds nothing for other types.
Range RangeOf(Dtype dtype) {
  const auto* found = std::find_if(kRanges.begin(), kRanges.end(), [&](const Range& r) { return r.dtype == dtype; });
  return found == kRanges.end() ? Range{dtype, 1, 0} : *found;
}

bool Holds(const Range& range, int whole) {
  if (whole < range.smallest || whole > range.largest) return false;
  if (range.dtype == Dtype::kQ1_0) return whole != 0;
  return range.dtype != Dtype::kMXFP4 || CodeOfE2M1(std::abs(whole)) < 8;
}

bool StoreExactly(float value, uint8_t (&bytes)[2]) {
  const uint16_t bits = HalfFromFloat(value);
  std::memcpy(bytes, &bits, sizeof bits);
  return std::isfinite(value) && FloatFromHalf(bits) == value;
}

// Two codes of four bits in a byte, i and i + 16, each `whole` + `added`; fifth bits apart.
uint32_t StoreNibbles(Wholes wholes, int added, uint8_t (&codes)[16]) {
  uint32_t fifth_bits = 0;
  for (size_t i = 0; i < 16; ++i) {
    const auto low = static_cast<uint32_t>(wholes[i] + added), high = static_cast<uint32_t>(wholes[i + 16] + added);
    codes[i] = static_cast<uint8_t>((low & 0xF) | (high & 0xF) << 4);
    fifth_bits |= (low >> 4) << i | (high >> 4) << (i + 16);
  }
  return fifth_bits;
}

// Digits of a byte of TQ1_0, the first on top: the smallest fraction of 256 that begins with them.
void StoreTrits(const int8_t* wholes, int width, int digits, uint8_t* bytes) {
  for (int m = 0; m < width; ++m) {
    int number = 0;
    for (int n = 0; n < 5; ++n) number = 3 * number + (n < digits ? wholes[n * width + m] + 1 : 0);
    bytes[m] = static_cast<uint8_t>((number * 256 + 242) / 243);
  }
}

bool Store(Wholes wholes, float scale, float /*offset*/, BlockQ8_0* block) {
  std::copy(wholes.begin(), wholes.end(), block->codes);
  return StoreExactly(scale, block->scale);
}
bool Store(Wholes wholes, float scale, float /*offset*/, BlockQ4_0* block) {
  StoreNibbles(wholes, 8, block->codes);
  return StoreExactly(scale, block->scale);
}
bool Store(Wholes wholes, float scale, float offset, BlockQ4_1* block) {
  StoreNibbles(wholes, 0, block->codes);
  return StoreExactly(scale, block->scale) && StoreExactly(offset, block->offset);
}
bool Store(Wholes wholes, float scale, float /*offset*/, BlockQ5_0* block) {
  const uint32_t fifth_bits = StoreNibbles(wholes, 16, block->codes);
  std::memcpy(block->fifth_bits, &fifth_bits, sizeof fifth_bits);
  return StoreExactly(scale, block->scale);
}
bool Store(Wholes wholes, float scale, float offset, BlockQ5_1* block) {
  const uint32_t fifth_bits = StoreNibbles(wholes, 0, block->codes);
  std::memcpy(block->fifth_bits, &fifth_bits, sizeof fifth_bits);
  return StoreExactly(scale, block->scale) && StoreExactly(offset, block->offset);
}
bool Store(Wholes wholes, float scale, float /*offset*/, BlockMXFP4* block) {
  for (size_t i = 0; i < 16; ++i)
    block->codes[i] = static_cast<uint8_t>(CodeOfE2M1(wholes[i]) | CodeOfE2M1(wholes[i + 16]) << 4);
  int exponent = 0;
  if (std::frexp(scale, &exponent) != 0.5f) return false;
  const int stored = exponent - 1 + 128;
  block->exponent = static_cast<uint8_t>(stored);
  return stored >= 0 && stored < 255;
}
bool Store(Wholes wholes, float scale, float /*offset*/, BlockQ1_0* block) {
  std::fill_n(block->signs, sizeof block->signs, uint8_t{0});
  for (size_t i = 0; i < kSignBlock; ++i)
    block->signs[i / 8] = static_cast<uint8_t>(block->signs[i / 8] | (wholes[i] > 0 ? 1 << i % 8 : 0));
  return StoreExactly(scale, block->scale);
}
bool Store(Wholes wholes, float scale, float /*offset*/, BlockQ2_0* block) {
  std::fill_n(block->codes, sizeof block->codes, uint8_t{0});
  for (size_t i = 0; i < kTwoBitBlock; ++i)
    block->codes[i / 4] = static_cast<uint8_t>(block->codes[i / 4] | (wholes[i] + 1) << 2 * (i % 4));
  return StoreExactly(scale, block->scale);
}
bool Store(Wholes wholes, float scale, float /*offset*/, BlockTQ2_0* block) {
  std::fill_n(block->codes, sizeof block->codes, uint8_t{0});
  for (size_t i = 0; i < kSuperBlock; ++i) {
    uint8_t& byte = block->codes[i / 128 * 32 + i % 32];
    byte = static_cast<uint8_t>(byte | (wholes[i] + 1) << 2 * (i % 128 / 32));
  }
  return StoreExactly(scale, block->scale);
}
bool Store(Wholes wholes, float scale, float /*offset*/, BlockTQ1_0* block) {
  StoreTrits(wholes.data(), 32, 5, block->fives);
  StoreTrits(wholes.data() + 160, 16, 5, block->fives + 32);
  StoreTrits(wholes.data() + 240, 4, 4, block->fours);
  return StoreExactly(scale, block->scale);
}

template <typename Block>
bool Append(Wholes wholes, float scale, float offset, std::string* bytes) {
  Block block;
  if (!Store(wholes, scale, offset, &block)) return false;
  bytes->append(reinterpret_cast<const char*>(&block), sizeof block);
  return true;
}

}  // namespace

std::span<const Dtype> TypesOfCodes() { return kTypes; }

bool HasBlockOffset(Dtype dtype) { return dtype == Dtype::kQ4_1 || dtype == Dtype::kQ5_1; }

bool HoldsWhole(Dtype dtype, int whole) { return Holds(RangeOf(dtype), whole); }

bool AppendBlock(Dtype dtype, std::span<const int8_t> wholes, float scale, float offset, std::string* bytes) {
  const Range range = RangeOf(dtype);
  if (!std::all_of(wholes.begin(), wholes.end(), [&](int8_t whole) { return Holds(range, whole); })) return false;
  if (!HasBlockOffset(dtype) && offset != 0) return false;
  switch (dtype) {
    case Dtype::kQ8_0:
      return Append<BlockQ8_0>(wholes, scale, offset, bytes);
    case Dtype::kQ4_0:
      return Append<BlockQ4_0>(wholes, scale, offset, bytes);
    case Dtype::kQ4_1:
      return Append<BlockQ4_1>(wholes, scale, offset, bytes);
    case Dtype::kQ5_0:
      return Append<BlockQ5_0>(wholes, scale, offset, bytes);
    case Dtype::kQ5_1:
      return Append<BlockQ5_1>(wholes, scale, offset, bytes);
    case Dtype::kMXFP4:
      return Append<BlockMXFP4>(wholes, scale, offset, bytes);
    case Dtype::kQ1_0:
      return Append<BlockQ1_0>(wholes, scale, offset, bytes);
    case Dtype::kQ2_0:
      return Append<BlockQ2_0>(wholes, scale, offset, bytes);
    case Dtype::kTQ1_0:
      return Append<BlockTQ1_0>(wholes, scale, offset, bytes);
    case Dtype::kTQ2_0:
      return Append<BlockTQ2_0>(wholes, scale, offset, bytes);
    default:
      return false;
  }
}

}  // namespace ridgeline
