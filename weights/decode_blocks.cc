// SPDX-License-Identifier: Apache-2.0
#include "weights/decode_blocks.h"

#include <cmath>
#include <cstring>

#include "common/half.h"

namespace ridgeline {
namespace {

float ReadHalf(const uint8_t (&bytes)[2]) {
  uint16_t bits;
  std::memcpy(&bits, bytes, sizeof bits);
  return FloatFromHalf(bits);
}

uint32_t ReadWord(const uint8_t (&bytes)[4]) {
  uint32_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// Calls emit(element, code) for the 32 codes of a small block; `fifth_bits` is 0 for 4-bit codes.
template <typename Emit>
void ForEachCode(const uint8_t (&codes)[16], uint32_t fifth_bits, Emit emit) {
  for (int i = 0; i < 16; ++i) {
    emit(i, static_cast<int>((codes[i] & 0xF) | ((fifth_bits >> i & 1) << 4)));
    emit(i + 16, static_cast<int>((codes[i] >> 4) | ((fifth_bits >> (i + 16) & 1) << 4)));
  }
}

// The 6-bit scale and offset of group `g` of 8: groups 0..3 fill the low six bits of bytes 0..3 (scales) and 4..7
// (offsets); groups 4..7 take halves of bytes 8..11 and the two bits that those bytes have left.
struct GroupScale {
  uint8_t scale, offset;
};
GroupScale UnpackGroupScale(const uint8_t (&packed)[12], int g) {
  if (g < 4) return {static_cast<uint8_t>(packed[g] & 63), static_cast<uint8_t>(packed[g + 4] & 63)};
  return {static_cast<uint8_t>((packed[g + 4] & 0xF) | (packed[g - 4] >> 6 << 4)),
          static_cast<uint8_t>((packed[g + 4] >> 4) | (packed[g] >> 6 << 4))};
}

// Q4_K and Q5_K differ only in the fifth bit. fifth_bit(i, g) is that of element i of group g, times 16.
template <typename Block, typename FifthBit>
void DecodeGroups(const Block& block, FifthBit fifth_bit, float* out) {
  const float block_scale = ReadHalf(block.scale), block_offset = ReadHalf(block.offset);
  for (int g = 0; g < 8; ++g, out += 32) {
    const GroupScale packed = UnpackGroupScale(block.group_scales, g);
    const float scale = block_scale * packed.scale, offset = block_offset * packed.offset;
    const uint8_t* codes = block.codes + 32 * (g / 2);
    const int shift = 4 * (g % 2);
    for (int i = 0; i < 32; ++i)
      out[i] = scale * static_cast<float>((codes[i] >> shift & 0xF) + fifth_bit(i, g)) - offset;
  }
}

// The digits of `width` bytes of TQ1_0: digit n of byte m is element n width + m. A byte holds its digits as the first
// of a fraction in base three: times three, they come out on top one after another.
float* DecodeTrits(const uint8_t* bytes, int width, int digits, float scale, float* out) {
  for (int n = 0, power = 1; n < digits; ++n, power *= 3)
    for (int m = 0; m < width; ++m) {
      const auto fraction = static_cast<uint8_t>(bytes[m] * power);
      *out++ = static_cast<float>((fraction * 3 >> 8) - 1) * scale;
    }
  return out;
}

}  // namespace

void DecodeBlock(const BlockQ8_0& block, float* out) {
  const float scale = ReadHalf(block.scale);
  for (int i = 0; i < kSmallBlock; ++i) out[i] = static_cast<float>(block.codes[i]) * scale;
}

void DecodeBlock(const BlockQ4_0& block, float* out) {
  const float scale = ReadHalf(block.scale);
  ForEachCode(block.codes, 0, [=](int i, int code) { out[i] = scale * static_cast<float>(code - 8); });
}

void DecodeBlock(const BlockQ4_1& block, float* out) {
  const float scale = ReadHalf(block.scale), offset = ReadHalf(block.offset);
  ForEachCode(block.codes, 0, [=](int i, int code) { out[i] = scale * static_cast<float>(code) + offset; });
}

void DecodeBlock(const BlockQ5_0& block, float* out) {
  const float scale = ReadHalf(block.scale);
  ForEachCode(block.codes, ReadWord(block.fifth_bits),
              [=](int i, int code) { out[i] = scale * static_cast<float>(code - 16); });
}

void DecodeBlock(const BlockQ5_1& block, float* out) {
  const float scale = ReadHalf(block.scale), offset = ReadHalf(block.offset);
  ForEachCode(block.codes, ReadWord(block.fifth_bits),
              [=](int i, int code) { out[i] = scale * static_cast<float>(code) + offset; });
}

void DecodeBlock(const BlockMXFP4& block, float* out) {
  constexpr float kTwice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  const float half_scale = std::ldexp(1.0f, block.exponent - 128);
  ForEachCode(block.codes, 0, [&](int i, int code) { out[i] = kTwice[code] * half_scale; });
}

void DecodeBlock(const BlockQ2_0& block, float* out) {
  const float scale = ReadHalf(block.scale);
  for (int i = 0; i < kTwoBitBlock; ++i)
    out[i] = static_cast<float>((block.codes[i / 4] >> 2 * (i % 4) & 3) - 1) * scale;
}

void DecodeBlock(const BlockQ1_0& block, float* out) {
  const float scale = ReadHalf(block.scale);
  for (int i = 0; i < kSignBlock; ++i) out[i] = (block.signs[i / 8] >> i % 8 & 1) != 0 ? scale : -scale;
}

void DecodeBlock(const BlockTQ1_0& block, float* out) {
  const float scale = ReadHalf(block.scale);
  out = DecodeTrits(block.fives, 32, 5, scale, out);
  out = DecodeTrits(block.fives + 32, 16, 5, scale, out);
  DecodeTrits(block.fours, 4, 4, scale, out);
}

void DecodeBlock(const BlockTQ2_0& block, float* out) {
  const float scale = ReadHalf(block.scale);
  for (int i = 0; i < kSuperBlock; ++i) {
    const int code = block.codes[i / 128 * 32 + i % 32] >> 2 * (i % 128 / 32) & 3;
    out[i] = static_cast<float>(code - 1) * scale;
  }
}

void DecodeBlock(const BlockQ4_K& block, float* out) {
  DecodeGroups(
      block, [](int, int) { return 0; }, out);
}

void DecodeBlock(const BlockQ5_K& block, float* out) {
  DecodeGroups(
      block, [&](int i, int g) { return (block.fifth_bits[i] >> g & 1) << 4; }, out);
}

void DecodeBlock(const BlockQ6_K& block, float* out) {
  const float block_scale = ReadHalf(block.scale);
  for (int part = 0; part < 8; ++part, out += 32) {  // 32 elements: two groups of 16
    const int half = part / 4, quarter = part % 4;   // Of the block; of that half
    const uint8_t* low = block.low_codes + 64 * half + 32 * (quarter % 2);
    const uint8_t* high = block.high_bits + 32 * half;
    for (int i = 0; i < 32; ++i) {
      const int code = (low[i] >> 4 * (quarter / 2) & 0xF) | (high[i] >> 2 * quarter & 3) << 4;
      const float scale = block_scale * static_cast<float>(block.group_scales[2 * part + i / 16]);
      out[i] = scale * static_cast<float>(code - 32);
    }
  }
}

}  // namespace ridgeline
