// SPDX-License-Identifier: Apache-2.0
// Which tokens a training sample holds: decided by the seed and the sample's global number alone, so that the order is
// the same whatever the number of ranks and wherever a run resumes.
#pragma once

#include <cstdint>
#include <vector>

namespace ridgeline {

// Where sample `index` (step * global_batch_size + position in the batch) begins, uniform over the places at which
// seq_len + 1 tokens fit. REQUIRES: token_count > seq_len.
int64_t SampleOffset(int64_t seed, int64_t index, int64_t token_count, int64_t seq_len);

// Evenly spaced places of at most `sequences` held-out windows of seq_len + 1 tokens (0: as many as fit side by side).
std::vector<int64_t> ValidationOffsets(int64_t sequences, int64_t token_count, int64_t seq_len);

// The part [begin, end) of `count` things that falls to a rank: contiguous, sizes differing by one at most.
struct Share {
  int64_t begin = 0;
  int64_t end = 0;
};
Share ShareOfRank(int64_t count, int rank, int size);

}  // namespace ridgeline
