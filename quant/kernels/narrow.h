// SPDX-License-Identifier: Apache-2.0
// Rounding of float to bfloat16 by the machine's own instruction.
#pragma once

#include <cstdint>

#include "quant/kernels/numbers.h"

namespace ridgeline {

// to[i] = from[i], rounded to the nearest, ties to even; NaN stays NaN.
using NarrowFunction = void (*)(const float* from, int64_t n, BFloat16* to);

// Null where the machine has no such instruction (AVX-512 BF16). Thread-safe.
NarrowFunction NarrowByInstruction();

}  // namespace ridgeline
