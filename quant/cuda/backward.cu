// SPDX-License-Identifier: Apache-2.0
#include "quant/cuda/block_estimators.h"
#include "quant/cuda/kernels.h"
#include "quant/cuda/launch.h"

namespace ridgeline::cuda {
namespace {

template <class Layout>
__global__ void __launch_bounds__(kThreadsPerBlock)
    BackwardKernel(const __grid_constant__ BlockParams params, const __grid_constant__ BlockedMatrix matrix,
                   const __grid_constant__ ConstArray x, const __grid_constant__ ConstArray v,
                   const __grid_constant__ MutableArray dx) {
  WithOwnBlock<Layout>(
      matrix, [&](const auto& lanes, const BlockPlace& place) { BackwardBlock(params, lanes, place, x, v, dx); });
}

}  // namespace

cudaError_t Backward(const BlockParams& params, ConstArray x, ConstArray v, int64_t rows, int64_t features,
                     MutableArray dx, cudaStream_t stream) {
  const bool aligned = x.is_aligned() && v.is_aligned() && dx.is_aligned();
  return LaunchBlocks(params.block, rows, features, aligned, [&](auto layout, const BlockedMatrix& matrix, unsigned n) {
    BackwardKernel<decltype(layout)><<<n, kThreadsPerBlock, 0, stream>>>(params, matrix, x, v, dx);
  });
}

}  // namespace ridgeline::cuda
