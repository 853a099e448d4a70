// SPDX-License-Identifier: Apache-2.0
// Levels as whole numbers, for integer arithmetic.
#pragma once

#include <optional>

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

}  // namespace ridgeline
