// SPDX-License-Identifier: Apache-2.0
// ggml's block types as they lie in a file, byte for byte. For this room only.
#pragma once

#include <cstdint>

#include "weights/dtype.h"

namespace ridgeline {

// 32 elements. Two 4-bit codes share a byte: the low half is element i, the high half element i + 16. The fifth bits
// of Q5_0 and Q5_1 are bits 0..31 of a little endian word, element by element. Scales and offsets are halves.
struct BlockQ8_0 {
  uint8_t scale[2];
  int8_t codes[32];
};
struct BlockQ4_0 {
  uint8_t scale[2];
  uint8_t codes[16];
};
struct BlockQ4_1 {
  uint8_t scale[2];
  uint8_t offset[2];
  uint8_t codes[16];
};
struct BlockQ5_0 {
  uint8_t scale[2];
  uint8_t fifth_bits[4];
  uint8_t codes[16];
};
struct BlockQ5_1 {
  uint8_t scale[2];
  uint8_t offset[2];
  uint8_t fifth_bits[4];
  uint8_t codes[16];
};

// 256 elements in 8 groups of 32. `group_scales` packs a 6-bit scale and a 6-bit offset for each group, which
// multiply the block's `scale` and `offset`. Two groups share 32 bytes of codes, the first in the low halves; bit g
// of a byte in `fifth_bits` belongs to group g.
struct BlockQ4_K {
  uint8_t scale[2];
  uint8_t offset[2];
  uint8_t group_scales[12];
  uint8_t codes[128];
};
struct BlockQ5_K {
  uint8_t scale[2];
  uint8_t offset[2];
  uint8_t group_scales[12];
  uint8_t fifth_bits[32];
  uint8_t codes[128];
};
// 256 elements in 16 groups of 16 with a signed 8-bit scale each. Each half of the block (128 elements) has 64 bytes
// of low halves and 32 bytes of upper bit pairs.
struct BlockQ6_K {
  uint8_t low_codes[128];
  uint8_t high_bits[64];
  int8_t group_scales[16];
  uint8_t scale[2];
};

// 32 elements of E2M1, in halves as above: sign on top, exponent, mantissa. The scale is 2^(exponent - 127).
struct BlockMXFP4 {
  uint8_t exponent;
  uint8_t codes[16];
};
// 128 signs, from the lowest bit on, 1 for +scale and 0 for -scale.
struct BlockQ1_0 {
  uint8_t scale[2];
  uint8_t signs[16];
};
// 64 elements of two bits, from the lowest on: -1, 0, 1 and 2 times the scale.
struct BlockQ2_0 {
  uint8_t scale[2];
  uint8_t codes[16];
};
// 256 elements of two bits, -1, 0, 1 and 2 times the scale. Each half of the block has 32 bytes, whose bits 2k and
// 2k + 1 are element 32 k + (the byte's place).
struct BlockTQ2_0 {
  uint8_t codes[64];
  uint8_t scale[2];
};
// 256 elements of -1, 0 and 1. A byte is a fraction of 256 whose first digits in base three are its elements, plus one:
// 32 bytes with five of them for elements 0 .. 159, 16 with five for 160 .. 239, 4 with four for the rest; digit n of a
// group's byte m is its element n (the group's bytes) + m.
struct BlockTQ1_0 {
  uint8_t fives[48];
  uint8_t fours[4];
  uint8_t scale[2];
};

static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24);
static_assert(sizeof(BlockQ4_K) == 144 && sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);
static_assert(sizeof(BlockMXFP4) == 17 && sizeof(BlockQ1_0) == 18 && sizeof(BlockQ2_0) == 18);
static_assert(sizeof(BlockTQ1_0) == 54 && sizeof(BlockTQ2_0) == 66);

inline constexpr int kSmallBlock = 32;   // Q4_0 to Q8_0, Q*_1 and MXFP4
inline constexpr int kSuperBlock = 256;  // Q*_K and TQ*
inline constexpr int kSignBlock = 128;   // Q1_0
inline constexpr int kTwoBitBlock = 64;  // Q2_0

}  // namespace ridgeline
