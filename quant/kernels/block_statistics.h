// SPDX-License-Identifier: Apache-2.0
// What is stored of a block beside its codes.
#pragma once

namespace ridgeline {

// x_hat = scale level + offset. Of a block without a grid: scale 0; NaN where x_hat is.
struct BlockStatistics {
  float scale = 0;
  float offset = 0;  // 0 in the linear scheme.
  float extra = 0;   // BitMoD's own level; 0 for none.
};
static_assert(sizeof(BlockStatistics) == 3 * sizeof(float));

}  // namespace ridgeline
