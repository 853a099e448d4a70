// SPDX-License-Identifier: Apache-2.0
#include "quant/cuda/block_estimators.h"
#include "quant/cuda/kernels.h"
#include "quant/cuda/launch.h"

namespace ridgeline::cuda {
namespace {

template <class Layout>
__global__ void __launch_bounds__(kThreadsPerBlock)
    ForwardKernel(const __grid_constant__ BlockParams params, const __grid_constant__ BlockedMatrix matrix,
                  const __grid_constant__ ConstArray x, const __grid_constant__ MutableArray x_hat) {
  WithOwnBlock<Layout>(
      matrix, [&](const auto& lanes, const BlockPlace& place) { ForwardBlock(params, lanes, place, x, x_hat); });
}

}  // namespace

cudaError_t Forward(const BlockParams& params, ConstArray x, int64_t rows, int64_t features, MutableArray x_hat,
                    cudaStream_t stream) {
  const bool aligned = x.is_aligned() && x_hat.is_aligned();
  return LaunchBlocks(params.block, rows, features, aligned, [&](auto layout, const BlockedMatrix& matrix, unsigned n) {
    ForwardKernel<decltype(layout)><<<n, kThreadsPerBlock, 0, stream>>>(params, matrix, x, x_hat);
  });
}

}  // namespace ridgeline::cuda
