// SPDX-License-Identifier: Apache-2.0
// Scales and offsets of blocks to and from bytes in LibTorch's operations, with the bytes of
// quant/codes/statistics_bytes.h. No state; any thread.
#pragma once

#include <ATen/core/Tensor.h>

#include "quant/codes/packed_layout.h"

namespace ridgeline {

// x_hat = scale level + offset, of blocks: (rows, blocks of a row) float32. `offset` and `extra`, BitMoD's own level,
// are undefined where there are none.
struct CodeStatistics {
  at::Tensor scale, offset, extra;
};

// The parts of a packed tensor that are not codes or masks, of rows that have statistics of their own: kByte, a row of
// bytes for each; `steps` undefined where scales are stored alone.
struct StatisticsBytes {
  at::Tensor scales, offsets, steps, selectors;
};

// `tensor_scale`: (1) float32, of layouts that have one.
StatisticsBytes StoredStatistics(const CodeStatistics& statistics, const at::Tensor& tensor_scale,
                                 const PackedLayout& layout);
CodeStatistics LoadedStatistics(const StatisticsBytes& bytes, const at::Tensor& tensor_scale,
                                const PackedLayout& layout);

// NV: the scale of a tensor whose largest finite |x|, of H x with hadamard, is `largest`: (1) float32 each.
at::Tensor TensorScaleOf(const at::Tensor& largest, Format format);

}  // namespace ridgeline
