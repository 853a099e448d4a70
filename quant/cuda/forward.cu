// SPDX-License-Identifier: Apache-2.0
#include "quant/cuda/block_estimators.h"
#include "quant/cuda/kernels.h"
#include "quant/cuda/launch.h"

namespace ridgeline::cuda {
namespace {

template <class Layout, typename X, typename V>
__global__ void __launch_bounds__(kThreadsPerBlock)
    ForwardKernel(const __grid_constant__ BlockParams params, const __grid_constant__ BlockedMatrix matrix, const X* x,
                  V* x_hat) {
  WithOwnBlock<Layout>(matrix, [&](const auto& lanes, int64_t begin) {
    ForwardBlock(params, lanes, x + begin, matrix.by_vectors, x_hat + begin);
  });
}

template <typename X, typename V>
cudaError_t LaunchForward(const BlockParams& params, const X* x, int64_t rows, int64_t features, V* x_hat,
                          cudaStream_t stream) {
  const bool aligned = IsAlignedForVectors(x) && IsAlignedForVectors(x_hat);
  return LaunchBlocks(params.block, rows, features, aligned, [&](auto layout, const BlockedMatrix& matrix, unsigned n) {
    ForwardKernel<decltype(layout)><<<n, kThreadsPerBlock, 0, stream>>>(params, matrix, x, x_hat);
  });
}

}  // namespace

cudaError_t Forward(const BlockParams& params, const float* x, int64_t rows, int64_t features, float* x_hat,
                    cudaStream_t stream) {
  return LaunchForward(params, x, rows, features, x_hat, stream);
}
cudaError_t Forward(const BlockParams& params, const float* x, int64_t rows, int64_t features, BFloat16* x_hat,
                    cudaStream_t stream) {
  return LaunchForward(params, x, rows, features, x_hat, stream);
}
cudaError_t Forward(const BlockParams& params, const BFloat16* x, int64_t rows, int64_t features, BFloat16* x_hat,
                    cudaStream_t stream) {
  return LaunchForward(params, x, rows, features, x_hat, stream);
}

}  // namespace ridgeline::cuda
