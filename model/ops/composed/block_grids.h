// SPDX-License-Identifier: Apache-2.0
// The shared grids of blocks and their levels in LibTorch's operations, with the bits of quant/kernels/grid-inl.h and
// float_grid-inl.h. No state; any thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "method/quantizer_spec.h"

namespace ridgeline {

// Numbers that share a grid, a block each: (blocks, n) float32.
struct BlockNumbers {
  at::Tensor x;          // Rotated, where the spec rotates.
  at::Tensor kept;       // 0 where pruned; x itself when dense.
  at::Tensor mask;       // bool: what is kept; undefined when dense.
  at::Tensor unrotated;  // Undefined where x was not rotated.
  int64_t kept_count = 0;
};

// Rotates and prunes x (blocks, n).
BlockNumbers BlockNumbersOf(const at::Tensor& x, const QuantizerSpec& spec);

// (blocks, 1) each. The level of f = (x - offset) inverse_scale is the nearest.
struct BlockGrids {
  at::Tensor scale, inverse_scale;  // 0 for a block without a grid.
  at::Tensor offset;                // Undefined in the linear scheme.
};

// `tensor_scale`: (1), of NV formats. REQUIRES: the format is not BitMoD.
BlockGrids GridsOf(const BlockNumbers& blocks, const QuantizerSpec& spec, const at::Tensor& tensor_scale);
// From the smallest number to the largest.
BlockGrids AffineGridsOf(const at::Tensor& x, int bits);

// Of numbers: (x - offset) inverse_scale, and the nearest level to that, which is not 0 where pruned.
at::Tensor GridValues(const at::Tensor& x, const BlockGrids& grids);
at::Tensor NearestLevels(const at::Tensor& f, const QuantizerSpec& spec);

// The largest |x| of each block: (blocks, 1).
at::Tensor LargestSize(const at::Tensor& x);
// x rounded to whole numbers, of those beyond lowest and highest these.
at::Tensor RoundedBetween(const at::Tensor& x, double lowest, double highest);

}  // namespace ridgeline
