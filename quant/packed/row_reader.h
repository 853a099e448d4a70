// SPDX-License-Identifier: Apache-2.0
// Rows of a packed matrix in the form that a kernel multiplies, a few at once.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "quant/codes/row_levels.h"
#include "quant/packed/packed_matrix.h"

namespace ridgeline {

// Refers to the matrix; one thread.
class RowReader {
 public:
  // Rows for products with `inputs`, in `form`: theirs, or kWholes. At most `rows` at once.
  RowReader(const PackedMatrix& matrix, const PackedInputs& inputs, Form form, int64_t rows);

  // Rows begin .. end - 1; they live until the next call.
  std::span<const PackedRow> Read(int64_t begin, int64_t end);

 private:
  using Way = PackedMatrix::Way;

  // How scales and bases become those of the form's numbers.
  struct Adjustment {
    float factor = 1;  // Of scales,
    float shift = 0;   // and so many of the scales before that are added to bases.
  };
  Adjustment AdjustmentOf(Form form) const;
  void ReadStatistics(int64_t begin, int64_t end);
  void ReadBlocks(int64_t first_block, int64_t blocks, float* scales, float* bases);
  void SpreadOverSegments(const std::vector<float>& of_blocks, int64_t rows, std::vector<float>* of_segments) const;
  const void* ReadNumbers(int64_t row, size_t i);
  const void* ReadCodes(int64_t row, size_t i);
  const uint8_t* ReadSigns(int64_t row, size_t i);
  const void* ReadNibbles(int64_t row, size_t i);
  const int8_t* ReadWholes(int64_t row, int8_t* wholes);
  void Raise(const int8_t* wholes, uint8_t* raised) const;
  uint8_t* NumbersOf(size_t i) { return numbers_.data() + i * numbers_stride_; }
  float* SumsOf(size_t i) { return has_sums_ ? sums_.data() + i * segments_ : nullptr; }

  const PackedMatrix& matrix_;
  const PackedView view_;
  const Form form_;
  const Adjustment adjustment_;
  const size_t segments_;
  const bool has_sums_;    // Those of weights are made where inputs have bases.
  const bool has_halves_;  // Scales are float16, and nothing is selected.
  const bool has_bases_;
  std::optional<RowLevels<int8_t>> levels_;  // Way::kAny
  std::vector<BlockStatistics> statistics_;  // Of the row that was read last.
  size_t numbers_stride_ = 0;
  std::vector<uint8_t> numbers_;                   // (rows, numbers_stride_)
  std::vector<std::vector<uint8_t>> signs_;        // (rows); where they are made of wholes, or spread.
  std::vector<std::vector<int16_t>> wide_;         // (rows)
  std::vector<float> block_scales_, block_bases_;  // (rows, blocks), and where segments are shorter
  std::vector<float> scales_, bases_;              // (rows, segments).
  std::vector<float> sums_;                        // (rows, segments)
  std::vector<PackedRow> rows_;
};

}  // namespace ridgeline
