// SPDX-License-Identifier: Apache-2.0
// A packed weight matrix at work: products with it in whole numbers, without a dequantized copy of it (Theorem 1 of
// arXiv 2409.09245, for blocks).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/codes/packed_tensor.h"
#include "quant/packed/integer_levels.h"
#include "quant/packed/packed_operands.h"
#include "quant/packed/pattern_rows.h"

namespace ridgeline {

// Inputs of one product, made by PackedMatrix::Prepare for it.
struct PreparedInputs {
  std::vector<int16_t> wholes;
  std::vector<uint8_t> arranged;
  std::vector<float> scales, bases, sums;
  PackedInputs view;  // Of those.
};

// Immutable; any thread.
class PackedMatrix {
 public:
  // `inputs` says how x is to be quantized; not enabled: as it comes. UNIMPLEMENTED for levels that are no whole
  // numbers of a step (post, fp8, fp6_e3m2): who multiplies with it decodes it.
  static absl::StatusOr<PackedMatrix> Create(PackedTensor packed, const QuantizerSpec& inputs);

  // Whether Prepare quantizes. It does not where `inputs` learn a scale, have other blocks or another rotation than the
  // weights, or levels without a step: then x_hat is to be given.
  bool quantizes_inputs() const { return input_levels_.has_value(); }
  PackedView view() const { return packed_.view(); }  // Lives as long as this.
  int64_t rows() const { return packed_.layout.rows; }
  int64_t features() const { return packed_.layout.features; }
  int64_t bytes() const { return packed_.layout.total_bytes(); }  // Of codes and all that belongs to them.

  // x: (count, features), not rotated. What is not quantized is rounded to whole numbers of 16 bits, steps of 2^-15 of
  // the largest in each segment of at most 256: a bfloat16 has 8 bits.
  PreparedInputs Prepare(std::span<const float> x, int64_t count) const;
  // What rounding takes away from a float, rounded likewise: the sum of both products is that of floats to rounding.
  // REQUIRES: !quantizes_inputs().
  struct RoundedAndRest {
    PreparedInputs rounded, rest;
  };
  RoundedAndRest PrepareFloats(std::span<const float> x, int64_t count) const;

  // y[c stride + r] = <x_c, w_r> for r = begin .. end - 1. Equal to the product of x_hat and w_hat but for rounding.
  void Multiply(const PreparedInputs& inputs, int64_t begin, int64_t end, float* y, int64_t stride) const;
  void Multiply_ref(const PreparedInputs& inputs, int64_t begin, int64_t end, float* y, int64_t stride) const;

 private:
  friend class RowReader;
  // How codes become whole numbers: by a table of 16, as bytes that are them already or have their first bit turned
  // round, five in a byte, groups by pairs of them, or one by one.
  enum class Way { kTable, kBytes, kFlippedBytes, kTernary, kPatterns, kAny };

  PackedMatrix(PackedTensor packed, const QuantizerSpec& inputs, const IntegerLevels& levels)
      : packed_(std::move(packed)), inputs_(inputs), levels_(levels), segment_(packed_.layout.block) {}
  void ChooseInputs();
  void ChooseSigns();
  void ChooseWay();
  void ChooseBytes(const std::vector<int8_t>& whole_of_code);
  void ChooseCodes(const std::vector<int8_t>& whole_of_code);
  Way WayOf(const std::vector<int8_t>& whole_of_code) const;
  int8_t WholeOf(float level) const;

  bool IsFew(int64_t count) const;  // Inputs, which then are multiplied one by one.
  int64_t InputBlock() const;       // Numbers of a row of inputs that share a scale.
  std::vector<float> Rotate(std::span<const float> x) const;
  PreparedInputs Empty(int64_t count) const;
  PreparedInputs PrepareRotated(const std::vector<float>& x, int64_t count) const;
  void EncodeInputs(std::span<const float> x, PreparedInputs* prepared) const;
  void RoundInputs(const std::vector<float>& x, PreparedInputs* prepared) const;
  Form FormFor(const PreparedInputs& prepared) const;
  void Finish(PreparedInputs* prepared) const;

  PackedTensor packed_;
  QuantizerSpec inputs_;
  IntegerLevels levels_;
  std::optional<IntegerLevels> input_levels_;
  int64_t segment_;
  Way way_ = Way::kAny;
  std::array<int8_t, 16> table_{};            // kTable
  std::optional<PatternRows> patterns_;       // kPatterns
  int least_ = 128;                           // No whole number is below -least_.
  int64_t additions_ = 0;                     // Of Form::kRaised; 0: inputs are no bytes, or pairs do not fit.
  int weight_planes_ = 0, input_planes_ = 0;  // Of Form::kSigns; 0: numbers are no signs, or of too many planes.
  std::optional<LinearCodes> linear_;         // Of codes that Form::kCodes multiplies.
  CodeKind codes_;                            // What kCodes or kGroups multiplies as it lies; 0 bits: nothing.
};

}  // namespace ridgeline
