// SPDX-License-Identifier: Apache-2.0
// The element types that kernels read and write.
#pragma once

#include <cstdint>

namespace ridgeline {

// The upper half of a float. Kernels widen it in registers, and round to the nearest, ties to even, when they store.
struct BFloat16 {
  uint16_t bits;
};
static_assert(sizeof(BFloat16) == 2);

}  // namespace ridgeline
