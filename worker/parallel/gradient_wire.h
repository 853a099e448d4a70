// SPDX-License-Identifier: Apache-2.0
// What gradients travel in between ranks: float32, bfloat16, or int8 with a scale for each 128 numbers. Sums of what
// arrives are float32 always. All functions spread their work over LibTorch's threads; the bits that they make do not
// depend on how many there are, nor on the instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "model/kernels/rows.h"

namespace ridgeline {

enum class GradientDtype { kFloat32, kBfloat16, kInt8 };

// Of a recipe's parallelism.gradient_dtype. REQUIRES: it is one of those that the schema knows.
GradientDtype GradientDtypeNamed(std::string_view name);

// Of `count` numbers: 4 or 2 bytes each; int8 takes one each and 4 a block. A multiple of 4, so that parts which lie
// one after the other are all aligned.
int64_t WireBytes(GradientDtype dtype, int64_t count);

// Writes the WireBytes of `source` to `wire`, which is aligned for a float.
//   bfloat16  Rounds to nearest, ties to even. What is bfloat16 already travels as it is.
//   int8      A block's scale is max |x| / 127, or the smallest normal float32 where that is more. It is float32: a
//             float16 scale ends at 6e-8 and 65504, both of which gradients pass, and would save 2 bytes in 132.
//             x / scale goes to one of the two integers around it, at random, so that its mean is x / scale: as `seed`
//             and the number's place decide. Different steps, ranks and parts have different seeds. Zero stays zero. A
//             block with a NaN or an infinity arrives as NaNs.
void EncodeGradient(GradientDtype dtype, std::span<const float> source, uint64_t seed, std::byte* wire);
void EncodeGradient(GradientDtype dtype, std::span<const rows::Bfloat16> source, uint64_t seed, std::byte* wire);

// sum (count) becomes what has travelled in `wire`, or has it added.
void DecodeInto(GradientDtype dtype, const std::byte* wire, int64_t count, float* sum);
void DecodeAdd(GradientDtype dtype, const std::byte* wire, int64_t count, float* sum);

}  // namespace ridgeline
