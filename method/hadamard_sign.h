// SPDX-License-Identifier: Apache-2.0
// The signs that spec.hadamard_signs puts before a block's Hadamard matrix.
#pragma once

#include <cstdint>

namespace ridgeline {

// +1 or -1 for a position in a row, the same for every row of every tensor, so that weights and inputs rotate alike and
// keep their product. A mixer of 64 bits: neighbours and blocks know nothing of each other.
constexpr int HadamardSign(int64_t position) {
  uint64_t h = (static_cast<uint64_t>(position) + 1) * UINT64_C(0x9E3779B97F4A7C15);
  h = (h ^ (h >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  h = (h ^ (h >> 27)) * UINT64_C(0x94D049BB133111EB);
  return ((h ^ (h >> 31)) & 1) != 0 ? -1 : 1;
}

}  // namespace ridgeline
