// SPDX-License-Identifier: Apache-2.0
// Rows of a packed matrix times many inputs, by the machine's best instructions. Thread-safe, no allocation.
#pragma once

#include <cstdint>
#include <span>

namespace ridgeline {

// Of one row, cut into segments whose weights and whose inputs have one scale each: w = scale[s] whole + base[s].
struct PackedRow {
  const int8_t* wholes = nullptr;  // (features)
  const float* scales = nullptr;   // (segments)
  const float* bases = nullptr;    // (segments)
  const float* sums = nullptr;     // (segments): of wholes. For inputs that have bases.
};

// Where wholes of inputs are bytes, too: those, for products of bytes with W + least, which has no sign.
struct PackedBytes {
  const int8_t* wholes = nullptr;  // (count, features), the same numbers; null: they are no bytes.
  const int32_t* sums = nullptr;   // (segments, count): of wholes.
  int least = 0;                   // No W is below -least.
  int64_t additions = 0;           // So many pairs of products fit in 15 bits and a sign.
};

// Inputs, `count` rows: x = scale whole + base in each segment, or the numbers themselves.
struct PackedInputs {
  int64_t count = 0;
  int64_t features = 0;
  int64_t segment = 0;              // Numbers of one; the last of a row may be shorter.
  const int16_t* wholes = nullptr;  // (count, features); null: floats.
  const float* numbers = nullptr;   // (count, features)
  const float* scales = nullptr;    // (segments, count), of wholes
  const float* bases = nullptr;     // (segments, count), of wholes; null: all 0.
  const float* sums = nullptr;      // (segments, count): of x.
  PackedBytes bytes;

  int64_t segments() const { return (features + segment - 1) / segment; }
};

// y[c * stride + r] = for row r the sum over segments of scale_w (scale_x W.X + base_x W) + base_w sum x, where W.X are
// products of whole numbers and W the sum of a segment's weights (Theorem 1 of arXiv 2409.09245, for blocks). REQUIRES:
// a segment's products fit in 31 bits.
void RowProducts(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride);
void RowProducts_ref(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride);

// How many rows are best multiplied at once: inputs are read once for them all.
inline constexpr int64_t kRowsAtOnce = 16;

}  // namespace ridgeline
