// SPDX-License-Identifier: Apache-2.0
// Levels as whole numbers, for integer arithmetic.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "quant/codes/code_book.h"

namespace ridgeline {

// level = step (whole + shift)
struct IntegerLevels {
  float step = 1;
  float shift = 0;

  int WholeOf(float level) const;
};

// Such that no whole number is beyond +-`largest`, and without a shift where the book stands beside zeros of pruned
// numbers. None for levels that are no multiples of one step (post), or of too small a one (fp8).
std::optional<IntegerLevels> IntegerLevelsOf(const CodeBook& book, Format format, int largest, bool has_zeros);

// 2^planes levels at equal steps, in the order of their codes, as odd whole numbers: that of a code is the sum of
// 2^p (2 bit_p - 1).
struct SignLevels {
  IntegerLevels levels;
  int planes = 0;
};
std::optional<SignLevels> SignLevelsOf(const CodeBook& book, Format format);

// Codes that are whole numbers but for a factor and an offset: that of a code is factor code + first.
struct LinearCodes {
  int factor = 1;
  int first = 0;
};
std::optional<LinearCodes> LinearCodesOf(std::span<const int8_t> whole_of_code);

}  // namespace ridgeline
