// SPDX-License-Identifier: Apache-2.0
// A packed weight matrix at work: products with it, without a dequantized copy of it, in whole numbers where inputs are
// quantized, too (Theorem 1 of arXiv 2409.09245, for blocks).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/codes/packed_tensor.h"
#include "quant/packed/integer_levels.h"
#include "quant/packed/pattern_rows.h"
#include "quant/packed/row_products.h"

namespace ridgeline {

// Inputs of one product, made by PackedMatrix::Prepare for it.
struct PreparedInputs {
  std::vector<int16_t> wholes;
  std::vector<int8_t> bytes;
  std::vector<int32_t> byte_sums;
  std::vector<float> numbers, scales, bases, sums;
  PackedInputs view;  // Of those.
};

// Immutable; any thread.
class PackedMatrix {
 public:
  // `inputs` says how x is to be quantized; not enabled: as it comes. UNIMPLEMENTED for levels that are no whole
  // numbers of a step (post, fp8, fp6_e3m2): who multiplies with it decodes it.
  static absl::StatusOr<PackedMatrix> Create(PackedTensor packed, const QuantizerSpec& inputs);

  // Whether Prepare quantizes. It does not where `inputs` learn a scale, have other blocks or another rotation than the
  // weights, or levels without a step: then x_hat is to be given, and products are those of whole weights with floats.
  bool quantizes_inputs() const { return input_levels_.has_value(); }
  PackedView view() const { return packed_.view(); }  // Lives as long as this.
  int64_t rows() const { return packed_.layout.rows; }
  int64_t features() const { return packed_.layout.features; }
  int64_t bytes() const { return packed_.layout.total_bytes(); }  // Of codes and all that belongs to them.

  // x: (count, features), not rotated.
  PreparedInputs Prepare(std::span<const float> x, int64_t count) const;

  // y[c stride + r] = <x_c, w_r> for r = begin .. end - 1. Equal to the product of x_hat and w_hat but for rounding.
  void Multiply(const PreparedInputs& inputs, int64_t begin, int64_t end, float* y, int64_t stride) const;
  void Multiply_ref(const PreparedInputs& inputs, int64_t begin, int64_t end, float* y, int64_t stride) const;

 private:
  class RowReader;
  using Products = void (*)(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride);
  // How codes become whole numbers: by a table of 16, as bytes that are them already or have their first bit turned
  // round, five in a byte, groups by pairs of them, or one by one.
  enum class Way { kTable, kBytes, kFlippedBytes, kTernary, kPatterns, kAny };

  PackedMatrix(PackedTensor packed, const QuantizerSpec& inputs, const IntegerLevels& levels)
      : packed_(std::move(packed)), inputs_(inputs), levels_(levels), segment_(packed_.layout.block) {}
  void ChooseWay();
  Way WayOf(const std::vector<int8_t>& whole_of_code) const;
  int8_t WholeOf(float level) const;
  void QuantizeInputs();
  int64_t InputBlock() const;  // Numbers of a row of inputs that share a scale.
  void RotateInputs(std::span<const float> x, PreparedInputs* prepared) const;
  void EncodeInputs(std::span<const float> x, int64_t count, PreparedInputs* prepared) const;
  void NarrowInputs(PreparedInputs* prepared) const;
  void MultiplyBy(Products products, const PreparedInputs& inputs, int64_t begin, int64_t end, float* y,
                  int64_t stride) const;

  PackedTensor packed_;
  QuantizerSpec inputs_;
  IntegerLevels levels_;
  std::optional<IntegerLevels> input_levels_;
  int64_t segment_;
  Way way_ = Way::kAny;
  std::array<int8_t, 16> table_{};       // kTable
  std::optional<PatternRows> patterns_;  // kPatterns
  int least_ = 128, range_ = 255;        // Whole numbers are -least_ .. range_ - least_.
  int64_t byte_additions_ = 0;           // As in PackedBytes; 0: inputs are no bytes, or pairs do not fit.
};

}  // namespace ridgeline
