// SPDX-License-Identifier: Apache-2.0
// A block's statistics as bytes, by the layout's encodings (docs/formats.md#scales).
#pragma once

#include <cstdint>

#include "quant/codes/packed_tensor.h"
#include "quant/kernels/block_statistics.h"

namespace ridgeline {

// The float16 that a number is stored as: to nearest, ties to even, of those beyond the largest that.
float StoredFloat16(float value);

// NV: the scale of the whole tensor from QuantizerSpec::tensor_max.
float TensorScaleOf(const QuantizerSpec& spec);

// `block` counts through the matrix, as does `row`, of those that have statistics of their own: a row's are stored
// together, since scales of 8 bits are steps of what the row has largest. The parts have their sizes already.
void StoreStatistics(const BlockStatistics* of_row, int64_t row, PackedTensor* packed);
BlockStatistics LoadStatistics(const PackedView& packed, int64_t block);

}  // namespace ridgeline
