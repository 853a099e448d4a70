// SPDX-License-Identifier: Apache-2.0
// What gradients travel in between ranks: float32, bfloat16, or int8 with a scale for each 128 numbers. No LibTorch
// here. The bits do not depend on the instruction set, nor on how a part is cut into runs of blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/kernels/gradient_blocks.h"

namespace ridgeline {

enum class GradientDtype { kFloat32, kBfloat16, kInt8 };

// Of a recipe's parallelism.gradient_dtype. REQUIRES: it is one of those that the schema knows.
GradientDtype GradientDtypeNamed(std::string_view name);

// Of `count` numbers: 4 or 2 bytes each; int8 takes one each and 4 a block. A multiple of 4, so that parts which lie
// one after the other are all aligned.
int64_t WireBytes(GradientDtype dtype, int64_t count);
// Of them, those that numbers are in; the others are zero.
int64_t UsedWireBytes(GradientDtype dtype, int64_t count);

// Numbers begin .. begin + n - 1 of a part, x being its first, become their bytes of `wire`, which is aligned for a
// float. REQUIRES: begin is a multiple of kWireBlock, and n is one or ends the part.
//   bfloat16  Rounds to nearest, ties to even. What is bfloat16 already travels as it is.
//   int8      A block's scale is max |x| / 127, or the smallest normal float32 where that is more. It is float32: a
//             float16 scale ends at 6e-8 and 65504, both of which gradients pass, and would save 2 bytes in 132.
//             x / scale goes to one of the two integers around it, at random, so that its mean is x / scale: as `seed`
//             and the number's place decide. Different steps, ranks and parts have different seeds. Zero stays zero. A
//             block with a NaN or an infinity arrives as NaNs.
// T is float or rows::Bfloat16.
template <typename T>
void EncodeGradientRun(GradientDtype dtype, const T* x, int64_t begin, int64_t n, uint64_t seed, std::byte* wire);

// Numbers begin .. begin + n - 1 of `sum` become what has travelled, or have it added. T is float or double; float64 is
// added to what arrives as float32. REQUIRES of begin and n: the same.
template <typename T>
void DecodeGradientRun(GradientDtype dtype, const std::byte* wire, int64_t begin, int64_t n, Arrival arrival, T* sum);

}  // namespace ridgeline
