// SPDX-License-Identifier: Apache-2.0
// Rounding of floats to bfloat16, by an instruction of the machine where it has one.
#pragma once

#include <cstdint>
#include <span>

#include "quant/kernels/numbers.h"

namespace ridgeline {

// to[i] = from[i], rounded to the nearest, ties to even; NaN stays NaN.
using NarrowFunction = void (*)(const float* from, int64_t n, BFloat16* to);

// Those that this machine can run, the fastest first: never none. All give the same numbers. Thread-safe.
std::span<const NarrowFunction> NarrowFunctions();

}  // namespace ridgeline
