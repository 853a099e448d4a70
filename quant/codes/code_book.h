// SPDX-License-Identifier: Apache-2.0
// The levels that codes stand for (docs/formats.md#codes): what a code decodes to before its block's scale and offset.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "method/quantizer_spec.h"

namespace ridgeline {

// Immutable; any thread.
class CodeBook {
 public:
  int bits() const { return bits_; }  // Of a code. 2 for ternary codes, which are stored as trits.
  bool is_sign() const { return levels_.size() == 2 && levels_[0] == -levels_[1]; }
  bool is_ternary() const { return levels_.size() == 3; }
  // By code. NaN where a code is not used.
  const std::vector<float>& levels() const { return levels_; }
  // The code of BitMoD's own level, which differs between blocks and is 0 in levels(); -1 in other formats.
  int extra_code() const { return extra_code_; }
  // The code of a level; of anything else that of the nearest.
  uint8_t CodeOf(float level) const;

 private:
  friend absl::StatusOr<CodeBook> CodeBookOf(const QuantizerSpec& spec);

  bool IsEven() const;  // Whether CodeOf has all of them by inverse_step_.

  std::vector<float> levels_;
  int bits_ = 0;
  int extra_code_ = -1;
  // Where the codes of evenly spaced levels are (level - first) / step, modulo their number of bits; step 0 elsewhere.
  float first_ = 0, inverse_step_ = 0;
  std::vector<std::pair<float, uint8_t>> ascending_;  // Where they are not.
};

// BitMoD's own levels of a block, by selector.
std::array<float, 4> BitModExtras(Format format);
// 0 for what is none of them.
uint8_t SelectorOfBitMod(Format format, float extra);

// INVALID_ARGUMENT for a spec without codes: one that quantizes nothing, that ValidateQuantizerSpec refuses for
// weights.
absl::StatusOr<CodeBook> CodeBookOf(const QuantizerSpec& spec);

}  // namespace ridgeline
