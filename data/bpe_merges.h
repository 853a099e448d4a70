// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding's inner step (Sennrich et al. 2016, arXiv 1508.07909, section 3.2): symbols of one word, merged
// pair by pair in the order of the merges' ranks.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace ridgeline {

struct BpeMerge {
  uint32_t left = 0;
  uint32_t right = 0;
  uint32_t result = 0;
};

// Immutable; thread-safe.
class BpeMerges {
 public:
  // By rank, the strongest first; of equal pairs the first counts.
  explicit BpeMerges(const std::vector<BpeMerge>& by_rank);

  // Working memory that one thread uses again from word to word.
  struct Scratch {
    struct Candidate {
      uint32_t rank, position, left, right;
    };
    std::vector<Candidate> heap;
    std::vector<uint32_t> previous, next;
  };

  // Replaces the symbols of a word by what they merge to. Of equal ranks the leftmost merges first.
  // O(n log n). REQUIRES: less than 2^32 - 1 symbols.
  void Apply(std::vector<uint32_t>* symbols, Scratch* scratch) const;

 private:
  struct Ranked {
    uint32_t rank, result;
  };
  const Ranked* Find(uint32_t left, uint32_t right) const;
  void Push(const std::vector<uint32_t>& symbols, uint32_t left_position, Scratch* scratch) const;

  absl::flat_hash_map<uint64_t, Ranked> ranked_;  // (left << 32 | right)
};

}  // namespace ridgeline
