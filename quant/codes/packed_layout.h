// SPDX-License-Identifier: Apache-2.0
// Where the bytes of a quantized weight matrix lie (docs/formats.md#packed-tensors), and so how many there are: files,
// what ranks send each other and the frontier's abscissa all ask here. No LibTorch, no kernels.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "method/quantizer_spec.h"
#include "quant/codes/patterns.h"

namespace ridgeline {

// How a row's codes are stored. Each row begins at a byte of its own.
//   kBits      the format's bits for each number
//   kTrits     five ternary codes in a byte
//   kKept      of each sparse group the codes of what is kept; which those are is in `masks`
//   kPatterns  each sparse group is one number, mask and signs in one (PatternCode), several of them in a RadixWord
enum class CodeStorage { kBits, kTrits, kKept, kPatterns };

// How a block's scale is stored: its float16, a whole number of the row's steps, the exponent of a power of two
// (UE8M0), or E4M3 times the tensor's scale. An offset is a float16, or a whole number of the row's steps, too.
struct PackedLayout {
  // Of what decoding asks: estimator, format, scheme, block, granularity, hadamard and its signs, sparsity, and whether
  // scales have 16 or 8 bits.
  QuantizerSpec spec;
  int64_t rows = 0;
  int64_t features = 0;

  CodeStorage storage = CodeStorage::kBits;
  int code_bits = 0;    // kBits and kKept
  PatternCode pattern;  // kPatterns
  RadixWord word;       // kPatterns
  int mask_bits = 0;    // kKept: of a group.
  int64_t code_row_bytes = 0;
  int64_t mask_row_bytes = 0;  // 0 unless kKept.

  int64_t block = 0;  // Numbers of a row that share a scale, but for what is left at its end.
  int64_t blocks_per_row = 0;
  int64_t statistics_rows = 0;  // That have scales of their own: `rows`, or 1 where the tensor shares one.
  int scale_bytes = 2;
  int offset_bytes_of_block = 2;
  int steps_of_row = 0;  // Scales of 8 bits: a float16 that scales are multiples of, and one for offsets.
  bool has_offsets = false;
  int64_t selector_row_bytes = 0;  // BitMoD: 2 bits for each block.
  bool has_tensor_scale = false;   // NV: a float32.

  int64_t groups_per_row() const { return spec.sparsity.is_sparse() ? features / spec.sparsity.m : 0; }
  // kPatterns: of the word that begins with a group, so many digits, in so many bits.
  int DigitsAt(int64_t group) const;
  int BitsAt(int64_t group) const;
  // Of the row's first block, counted through the matrix.
  int64_t FirstBlock(int64_t row) const { return statistics_rows == 1 ? 0 : row * blocks_per_row; }
  int64_t blocks() const { return statistics_rows * blocks_per_row; }

  // Of each part, in bytes.
  int64_t code_bytes() const { return rows * code_row_bytes; }
  int64_t mask_bytes() const { return rows * mask_row_bytes; }
  int64_t all_scale_bytes() const { return blocks() * scale_bytes; }
  int64_t offset_bytes() const { return has_offsets ? blocks() * offset_bytes_of_block : 0; }
  int64_t step_bytes() const { return statistics_rows * steps_of_row * 2; }
  int64_t selector_bytes() const { return statistics_rows * selector_row_bytes; }
  int64_t tensor_scale_bytes() const { return has_tensor_scale ? 4 : 0; }
  int64_t total_bytes() const {
    return code_bytes() + mask_bytes() + all_scale_bytes() + offset_bytes() + step_bytes() + selector_bytes() +
           tensor_scale_bytes();
  }
};

// Of a weight matrix (rows, features). INVALID_ARGUMENT for a spec that has no codes (CodeBookOf), for features that
// leave a tail behind a sparse group or a Hadamard block, and for a matrix of nothing or of more than 2^40 numbers.
absl::StatusOr<PackedLayout> PackedLayoutOf(const QuantizerSpec& spec, int64_t rows, int64_t features);

}  // namespace ridgeline
