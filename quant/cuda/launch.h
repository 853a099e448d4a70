// SPDX-License-Identifier: Apache-2.0
// How kernels are started: threads for every block of a matrix. For .cu files.
#pragma once

#include <cuda_runtime.h>

#include "quant/cuda/blocked_matrix.h"
#include "quant/cuda/warp_lanes.h"

namespace ridgeline::cuda {

inline constexpr unsigned kThreadsPerBlock = 256;

// Calls launch(layout, matrix, thread_blocks), which starts a kernel of kThreadsPerBlock threads each, and returns its
// error. Lanes of a warp that have no block leave at once.
template <class Launch>
cudaError_t LaunchBlocks(int block, int64_t rows, int64_t features, bool aligned, const Launch& launch) {
  if (rows < 0 || features < 0 || block < 1) return cudaErrorInvalidValue;
  if (rows == 0 || features == 0) return cudaSuccess;
  constexpr int64_t kMostBlocks = INT32_MAX;
  if ((features - 1) / block + 1 > kMostBlocks / rows) return cudaErrorInvalidValue;
  const BlockedMatrix matrix = BlocksOf(rows, features, block, aligned);
  WithLayoutFor(block, [&](auto layout) {
    constexpr unsigned kBlocksEach = kThreadsPerBlock / static_cast<unsigned>(layout.kLanes);
    launch(layout, matrix, (matrix.blocks + kBlocksEach - 1) / kBlocksEach);
  });
  return cudaGetLastError();
}

// Calls function(lanes, place) for the block that the calling thread takes part in, if there is one.
template <class Layout, class Function>
__device__ __forceinline__ void WithOwnBlock(const BlockedMatrix& matrix, const Function& function) {
  const uint32_t index = blockIdx.x * (kThreadsPerBlock / Layout::kLanes) + threadIdx.x / Layout::kLanes;
  if (index >= matrix.blocks) return;
  const BlockPlace place = PlaceOf(matrix, index);
  function(WarpLanes<Layout>(place.n, threadIdx.x), place);
}

}  // namespace ridgeline::cuda
