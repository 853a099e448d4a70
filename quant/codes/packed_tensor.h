// SPDX-License-Identifier: Apache-2.0
// A quantized weight matrix as it is stored, sent and run: codes and statistics of 16 bits or 8. There is one such
// object (docs/formats.md#packed-tensors), and what training computes with is what it decodes to, bit for bit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quant/codes/packed_layout.h"
#include "quant/kernels/numbers.h"

namespace ridgeline {

// The parts, in the order and with the bytes that a file has; little-endian. Owned by someone else.
struct PackedView {
  PackedLayout layout;
  std::span<const uint8_t> codes;      // (rows, code_row_bytes)
  std::span<const uint8_t> masks;      // (rows, mask_row_bytes)
  std::span<const uint8_t> scales;     // (statistics_rows, blocks_per_row), of scale_bytes
  std::span<const uint8_t> offsets;    // (statistics_rows, blocks_per_row), of offset_bytes_of_block
  std::span<const uint8_t> steps;      // (statistics_rows, steps_of_row), float16
  std::span<const uint8_t> selectors;  // (statistics_rows, selector_row_bytes)
  float tensor_scale = 1;
};

struct PackedTensor {
  PackedLayout layout;
  std::vector<uint8_t> codes, masks, scales, offsets, steps, selectors;
  float tensor_scale = 1;

  PackedView view() const { return {layout, codes, masks, scales, offsets, steps, selectors, tensor_scale}; }
};

PackedTensor CopyOf(const PackedView& view);

// x: (rows, features). What x_hat is, in the sense of the forward pass with ScalePrecision::kFloat16 (or, where the
// spec says so, kInt8), noise rounded; with hadamard the codes are those of H x. `learned_scales` are those of
// estimators that learn one: `rows` of them, or one for granularity tensor; else empty. A block that holds a NaN or an
// infinity decodes to NaN. Runs on the calling thread. INVALID_ARGUMENT as PackedLayoutOf, and for another number of
// learned scales.
absl::StatusOr<PackedTensor> Encode(const QuantizerSpec& spec, std::span<const float> x, int64_t rows, int64_t features,
                                    std::span<const float> learned_scales = {});

// OK if each part has as many bytes as the layout says and no number in them is out of range: what comes from a file or
// from another process is checked before it is decoded. DATA_LOSS names the part and the row.
absl::Status CheckPacked(const PackedView& packed);

// Whether decoded values are rotated back, or are left as H x where the layout has hadamard.
enum class Rotated { kBack, kStays };

// x_hat of rows begin .. end - 1, (end - begin, features). REQUIRES: CheckPacked. Disjoint rows may be decoded on
// different threads.
void DecodeRows(const PackedView& packed, int64_t begin, int64_t end, Rotated rotated, float* x_hat);
void DecodeRows(const PackedView& packed, int64_t begin, int64_t end, Rotated rotated, BFloat16* x_hat);
// The same of the rows that are named, in their order. A call prepares tables: many rows are best decoded in one.
void DecodeRows(const PackedView& packed, std::span<const int64_t> rows, Rotated rotated, float* x_hat);

// The plain twin: number by number, from the layout's definition.
void DecodeRows_ref(const PackedView& packed, int64_t begin, int64_t end, Rotated rotated, float* x_hat);

}  // namespace ridgeline
