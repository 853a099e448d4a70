// SPDX-License-Identifier: Apache-2.0
// Where the blocks of a row-major matrix (rows, features) lie.
#pragma once

#include <cstdint>

#include "quant/cuda/host_device.h"

namespace ridgeline::cuda {

// Each row is cut into blocks of `block` numbers; its tail is a block of fewer.
struct BlockedMatrix {
  int64_t features = 0;
  int block = 0;
  uint32_t blocks_per_row = 0;
  uint32_t blocks = 0;      // Of all rows.
  bool by_vectors = false;  // Every block begins where vectors of four may be read and written.
};

struct BlockPlace {
  int64_t begin;   // Its first number's index in the matrix.
  int64_t column;  // And in its row.
  int n;
  bool by_vectors;
};

RIDGELINE_HOST_DEVICE BlockPlace PlaceOf(const BlockedMatrix& matrix, uint32_t index) {
  const uint32_t row = index / matrix.blocks_per_row, column = index - row * matrix.blocks_per_row;
  const int64_t in_row = static_cast<int64_t>(column) * matrix.block, left = matrix.features - in_row;
  return {row * matrix.features + in_row, in_row, left < matrix.block ? static_cast<int>(left) : matrix.block,
          matrix.by_vectors};
}

// `aligned` says whether every array of the matrix begins where vectors of four may be read. REQUIRES: rows and
// features are positive, and there are fewer than 2^31 blocks.
inline BlockedMatrix BlocksOf(int64_t rows, int64_t features, int block, bool aligned) {
  const int64_t blocks_per_row = (features + block - 1) / block;
  return {features, block, static_cast<uint32_t>(blocks_per_row), static_cast<uint32_t>(blocks_per_row * rows),
          aligned && features % 4 == 0 && (block % 4 == 0 || blocks_per_row == 1)};
}

}  // namespace ridgeline::cuda
