// SPDX-License-Identifier: Apache-2.0
#include "quant/cuda/block_estimators.h"
#include "quant/cuda/kernels.h"
#include "quant/cuda/launch.h"

namespace ridgeline::cuda {
namespace {

template <class Layout, typename X, typename V>
__global__ void __launch_bounds__(kThreadsPerBlock)
    BackwardKernel(const __grid_constant__ BlockParams params, const __grid_constant__ BlockedMatrix matrix, const X* x,
                   const V* v, X* dx) {
  WithOwnBlock<Layout>(matrix, [&](const auto& lanes, int64_t begin) {
    BackwardBlock(params, lanes, x + begin, v + begin, matrix.by_vectors, dx + begin);
  });
}

template <typename X, typename V>
cudaError_t LaunchBackward(const BlockParams& params, const X* x, const V* v, int64_t rows, int64_t features, X* dx,
                           cudaStream_t stream) {
  const bool aligned = IsAlignedForVectors(x) && IsAlignedForVectors(v) && IsAlignedForVectors(dx);
  return LaunchBlocks(params.block, rows, features, aligned, [&](auto layout, const BlockedMatrix& matrix, unsigned n) {
    BackwardKernel<decltype(layout)><<<n, kThreadsPerBlock, 0, stream>>>(params, matrix, x, v, dx);
  });
}

}  // namespace

cudaError_t Backward(const BlockParams& params, const float* x, const float* v, int64_t rows, int64_t features,
                     float* dx, cudaStream_t stream) {
  return LaunchBackward(params, x, v, rows, features, dx, stream);
}
cudaError_t Backward(const BlockParams& params, const float* x, const BFloat16* v, int64_t rows, int64_t features,
                     float* dx, cudaStream_t stream) {
  return LaunchBackward(params, x, v, rows, features, dx, stream);
}
cudaError_t Backward(const BlockParams& params, const BFloat16* x, const BFloat16* v, int64_t rows, int64_t features,
                     BFloat16* dx, cudaStream_t stream) {
  return LaunchBackward(params, x, v, rows, features, dx, stream);
}

}  // namespace ridgeline::cuda
