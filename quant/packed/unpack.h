// SPDX-License-Identifier: Apache-2.0
// Codes and statistics of a row as numbers that products are made of. Thread-safe, no allocation.
#pragma once

#include <cstdint>

namespace ridgeline {

// sums[s] = the sum of segment s of n wholes.
void SegmentSums(const int8_t* wholes, int64_t n, int64_t segment, float* sums);

// The same of n signs: -1 where a bit is 0, +1 where it is 1. REQUIRES: segments and n are multiples of 8.
void SignSums(const uint8_t* bits, int64_t n, int64_t segment, float* sums);

// wholes[i] = x[i] factor - shift to nearest; returns their sum. REQUIRES: they are of 16 bits, their sum of 32.
int32_t RoundToWholes(const float* x, int64_t n, float factor, float shift, int16_t* wholes);

// Bit p of (wholes[i] + 2^planes - 1) / 2 to bit i of plane p; bits: (planes, n / 8). REQUIRES: n is a multiple of 8,
// and wholes are odd and of no larger size than 2^planes - 1.
void SplitSigns(const int16_t* wholes, int64_t n, int planes, uint8_t* bits);

// Two nibbles of each of n bytes, the lower one first, in the higher halves of bytes: (2 n).
void SpreadNibbles(const uint8_t* bytes, int64_t n, uint8_t* nibbles);

// numbers[i] = factor times the float16 at bytes + 2 i.
void ReadHalves(const uint8_t* bytes, int64_t n, float factor, float* numbers);

// wholes[i] = byte i, with its highest bit turned round: the byte - 128.
void FlipBytes(const uint8_t* bytes, int64_t n, int8_t* wholes);

// wholes[i] = digit i of n ternary codes, less 1. Writes up to kRoomBeyondWholes beyond them.
void UnpackTernary(const uint8_t* bytes, int64_t n, int8_t* wholes);
inline constexpr int64_t kRoomBeyondWholes = 16;

// wholes[i] = table[code i] of n codes of 1, 2 or 4 bits; table has 16.
void UnpackWholes(const uint8_t* bytes, int64_t n, int bits, const int8_t* table, int8_t* wholes);

}  // namespace ridgeline
