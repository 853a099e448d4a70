// SPDX-License-Identifier: Apache-2.0
// Blocks of ggml's types from codes that are chosen already: nothing is rounded. Plain functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "weights/dtype.h"

namespace ridgeline {

// The types whose blocks hold whole numbers times one scale (and, of Q4_1 and Q5_1, plus an offset), fewest bits for an
// element first.
std::span<const Dtype> TypesOfCodes();

// Whether such a block has an offset.
bool HasBlockOffset(Dtype dtype);

// Whether it can hold this number. E2M1's halves count twice in MXFP4: 12 is 6.
bool HoldsWhole(Dtype dtype, int whole);

// Appends a block whose elements are wholes[i] scale + offset, which its decoder gives exactly but for the rounding of
// that sum. False, and nothing is appended, if a number, the scale or the offset is none that the type has: scales and
// offsets are halves, MXFP4's scale is a power of two. REQUIRES: a type of TypesOfCodes, BlockElements(dtype) numbers.
bool AppendBlock(Dtype dtype, std::span<const int8_t> wholes, float scale, float offset, std::string* bytes);

}  // namespace ridgeline
