// SPDX-License-Identifier: Apache-2.0
// How fast one core can multiply and add: its clock, and the peaks of the instructions that products of packed matrices
// come down to, each measured by a tiny kernel whose operands stay in registers.
#pragma once

namespace ridgeline {

// Cycles a second of the calling thread's core: by a chain of multiplications of 64-bit numbers, each of which takes 3
// cycles on every x86-64 core since 2011. 0 elsewhere. The best of many, as a limit should be.
double MeasuredClock();

// Products a second on one core; the best of many. 0 where the instruction set lacks it.
struct ProductPeaks {
  double floats = 0;       // a b + c in float32
  double int16_pairs = 0;  // 16-bit numbers, two products to a 32-bit sum, and its addition (pmaddwd, paddd)
  double byte_pairs = 0;   // bytes, two products to a 16-bit sum, and its addition (pmaddubsw, paddw)
  double one_bit = 0;      // xor, bits counted byte by byte, and their addition
};
ProductPeaks MeasureProductPeaks();

}  // namespace ridgeline
