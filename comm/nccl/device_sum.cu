// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>

#include <algorithm>

#include "comm/nccl/device_sum.h"

namespace ridgeline {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 4096;

template <typename T>
__global__ void RankOrderSum(const T* own, const T* theirs, int rank, int size, int64_t count, T* sum) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count; i += stride) {
    T total = 0 == rank ? own[i] : theirs[i];
    for (int from = 1; from < size; ++from)
      total += from == rank ? own[i] : theirs[(from < rank ? from : from - 1) * count + i];
    sum[i] = total;
  }
}

}  // namespace

template <typename T>
cudaError_t LaunchRankOrderSum(const T* own, const T* theirs, int rank, int size, int64_t count, T* sum,
                               cudaStream_t stream) {
  if (count == 0) return cudaSuccess;
  const auto blocks = static_cast<unsigned>(std::min((count + kThreads - 1) / kThreads, kMostBlocks));
  RankOrderSum<<<blocks, kThreads, 0, stream>>>(own, theirs, rank, size, count, sum);
  return cudaGetLastError();
}

template cudaError_t LaunchRankOrderSum(const float*, const float*, int, int, int64_t, float*, cudaStream_t);
template cudaError_t LaunchRankOrderSum(const double*, const double*, int, int, int64_t, double*, cudaStream_t);

}  // namespace ridgeline
