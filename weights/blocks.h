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

static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24);
static_assert(sizeof(BlockQ4_K) == 144 && sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);

inline constexpr int kSmallBlock = 32;   // Q*_0 and Q*_1
inline constexpr int kSuperBlock = 256;  // Q*_K

}  // namespace ridgeline
