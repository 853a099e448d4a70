// SPDX-License-Identifier: Apache-2.0
// A GPU's part of sums: what has come from the other ranks is added in the order of ranks, as comm/rank_order_sum.h
// does on the host, with the same bits.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace ridgeline {

// sum[i] = ((rank 0's + rank 1's) + rank 2's) + ... for `count` numbers, in the order of `stream`. `own` is the part of
// rank `rank` of `size`; `theirs` the others', one after the other in the order of ranks. All on the current device;
// `sum` may be `own`.
template <typename T>
cudaError_t LaunchRankOrderSum(const T* own, const T* theirs, int rank, int size, int64_t count, T* sum,
                               cudaStream_t stream);

}  // namespace ridgeline
