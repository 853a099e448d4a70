// SPDX-License-Identifier: Apache-2.0
#include "quant/cuda/emulation.h"

#include "quant/cuda/block_estimators.h"
#include "quant/cuda/blocked_matrix.h"
#include "quant/cuda/emulated_lanes.h"

namespace ridgeline::cuda {
namespace {

// Calls function(lanes, place) for each block.
template <class Function>
void ForEachBlock(const BlockedMatrix& matrix, const Function& function) {
  WithLayoutFor(matrix.block, [&](auto layout) {
    for (uint32_t index = 0; index < matrix.blocks; ++index) {
      const BlockPlace place = PlaceOf(matrix, index);
      function(EmulatedLanes<decltype(layout)>(place.n), place);
    }
  });
}

}  // namespace

void EmulateForward(const BlockParams& params, ConstArray x, int64_t rows, int64_t features, MutableArray x_hat) {
  const BlockedMatrix matrix = BlocksOf(rows, features, params.block, x.is_aligned() && x_hat.is_aligned());
  ForEachBlock(matrix,
               [&](const auto& lanes, const BlockPlace& place) { ForwardBlock(params, lanes, place, x, x_hat); });
}

void EmulateBackward(const BlockParams& params, ConstArray x, ConstArray v, int64_t rows, int64_t features,
                     MutableArray dx) {
  const bool aligned = x.is_aligned() && v.is_aligned() && dx.is_aligned();
  const BlockedMatrix matrix = BlocksOf(rows, features, params.block, aligned);
  ForEachBlock(matrix,
               [&](const auto& lanes, const BlockPlace& place) { BackwardBlock(params, lanes, place, x, v, dx); });
}

}  // namespace ridgeline::cuda
