// SPDX-License-Identifier: Apache-2.0
// Rows of a packed matrix times inputs, by the machine's best instructions: y[c * stride + r] = for row r the sum over
// segments of scale_w (scale_x W.X + base_x W) + base_w sum x, where W.X are products of whole numbers and W the sum of
// a segment's weights (Theorem 1 of arXiv 2409.09245, for blocks). Thread-safe, no allocation. REQUIRES: a segment's
// products fit in 31 bits, also those of weights that have no sign (kRaised, kCodes).
#pragma once

#include <span>

#include "quant/packed/packed_operands.h"

namespace ridgeline {

// REQUIRES: Form::kWholes. The plain twin takes rows in this form with inputs of every form: they have wholes, too.
void RowProducts(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride);
void RowProducts_ref(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride);

// REQUIRES: inputs in lanes, Form::kRaised, kPairs or kSigns.
void LaneProducts(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride);

// REQUIRES: Form::kNibbles, and UsesNibbles: it is not so where the machine counts the bits of vectors.
void NibbleProducts(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride);
bool UsesNibbles();

// REQUIRES: Form::kCodes, or kSigns not in lanes.
void CodeProducts(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride);

// REQUIRES: Form::kGroups; segments have a multiple of kPairsAtOnce pairs, whose codes have as many bytes as one has
// bits.
void GroupProducts(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride);
inline constexpr int64_t kPairsAtOnce = 8;

// How many rows are best multiplied at once, and no more may be: inputs are read once for them all.
inline constexpr int64_t kRowsAtOnce = 32;

}  // namespace ridgeline
