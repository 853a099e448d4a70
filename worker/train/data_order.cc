// SPDX-License-Identifier: Apache-2.0
#include "worker/train/data_order.h"

#include <algorithm>

namespace ridgeline {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): a bijection on 64 bits that passes for random.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

}  // namespace

int64_t SampleOffset(int64_t seed, int64_t index, int64_t token_count, int64_t seq_len) {
  uint64_t random = Mix(Mix(static_cast<uint64_t>(seed)) ^ Mix(static_cast<uint64_t>(index) * 2 + 1));
  uint64_t places = static_cast<uint64_t>(token_count - seq_len);
  return static_cast<int64_t>((static_cast<unsigned __int128>(random) * places) >> 64);
}

std::vector<int64_t> ValidationOffsets(int64_t sequences, int64_t token_count, int64_t seq_len) {
  const int64_t side_by_side = (token_count - 1) / seq_len;
  const int64_t count = sequences == 0 ? side_by_side : std::min(sequences, side_by_side);
  std::vector<int64_t> offsets;
  for (int64_t i = 0; i < count; ++i) offsets.push_back(i * side_by_side / count * seq_len);
  return offsets;
}

Share ShareOfRank(int64_t count, int rank, int size) { return {count * rank / size, count * (rank + 1) / size}; }

}  // namespace ridgeline
