// SPDX-License-Identifier: Apache-2.0
#include "quant/cuda/emulation.h"

#include "quant/cuda/block_estimators.h"
#include "quant/cuda/blocked_matrix.h"
#include "quant/cuda/emulated_lanes.h"

namespace ridgeline::cuda {
namespace {

// Calls function(lanes, begin) for each block.
template <class Function>
void ForEachBlock(const BlockedMatrix& matrix, const Function& function) {
  WithLayoutFor(matrix.block, [&](auto layout) {
    for (uint32_t index = 0; index < matrix.blocks; ++index) {
      const BlockPlace place = PlaceOf(matrix, index);
      function(EmulatedLanes<decltype(layout)>(place.n), place.begin);
    }
  });
}

}  // namespace

template <typename X, typename V>
void EmulateForward(const BlockParams& params, const X* x, int64_t rows, int64_t features, V* x_hat) {
  const BlockedMatrix matrix =
      BlocksOf(rows, features, params.block, IsAlignedForVectors(x) && IsAlignedForVectors(x_hat));
  ForEachBlock(matrix, [&](const auto& lanes, int64_t begin) {
    ForwardBlock(params, lanes, x + begin, matrix.by_vectors, x_hat + begin);
  });
}

template <typename X, typename V>
void EmulateBackward(const BlockParams& params, const X* x, const V* v, int64_t rows, int64_t features, X* dx) {
  const bool aligned = IsAlignedForVectors(x) && IsAlignedForVectors(v) && IsAlignedForVectors(dx);
  const BlockedMatrix matrix = BlocksOf(rows, features, params.block, aligned);
  ForEachBlock(matrix, [&](const auto& lanes, int64_t begin) {
    BackwardBlock(params, lanes, x + begin, v + begin, matrix.by_vectors, dx + begin);
  });
}

template void EmulateForward(const BlockParams&, const float*, int64_t, int64_t, float*);
template void EmulateForward(const BlockParams&, const float*, int64_t, int64_t, BFloat16*);
template void EmulateForward(const BlockParams&, const BFloat16*, int64_t, int64_t, BFloat16*);
template void EmulateBackward(const BlockParams&, const float*, const float*, int64_t, int64_t, float*);
template void EmulateBackward(const BlockParams&, const float*, const BFloat16*, int64_t, int64_t, float*);
template void EmulateBackward(const BlockParams&, const BFloat16*, const BFloat16*, int64_t, int64_t, BFloat16*);

}  // namespace ridgeline::cuda
