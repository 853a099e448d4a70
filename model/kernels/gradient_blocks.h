// SPDX-License-Identifier: Apache-2.0
// Blocks of gradients to and from what travels: the loops of gradient_wire.h. No LibTorch here. Each function
// dispatches to the best instruction set, all of which make the same bits, and does not allocate. T is float or
// rows::Bfloat16.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/kernels/rows.h"

namespace ridgeline {

// int8 travels as a float32 scale and the codes, block after block; the last may be shorter.
inline constexpr int64_t kWireBlock = 128;
inline constexpr int64_t kWireBlockBytes = sizeof(float) + kWireBlock;

// n numbers, the first of which begins block `first_block` of its part, rounded at random: which way follows from the
// seed and a number's place in its part.
template <typename T>
void EncodeInt8(const T* x, int64_t n, uint64_t seed, int64_t first_block, std::byte* wire);
template <typename T>
void EncodeBfloat16(const T* x, int64_t n, std::byte* wire);
template <typename T>
void EncodeFloat32(const T* x, int64_t n, std::byte* wire);

// sum (n) becomes what has travelled, or has it added.
enum class Arrival { kReplaces, kAdds };
void DecodeInt8(const std::byte* wire, int64_t n, Arrival arrival, float* sum);
void DecodeBfloat16(const std::byte* wire, int64_t n, Arrival arrival, float* sum);
void DecodeFloat32(const std::byte* wire, int64_t n, Arrival arrival, float* sum);

}  // namespace ridgeline
