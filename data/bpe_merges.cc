// SPDX-License-Identifier: Apache-2.0
#include "data/bpe_merges.h"

#include <algorithm>
#include <limits>

namespace ridgeline {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

uint64_t PairOf(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }

using Candidate = BpeMerges::Scratch::Candidate;

// For a heap with the lowest rank, then the leftmost, on top.
bool ComesLater(const Candidate& a, const Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

void Link(size_t count, BpeMerges::Scratch* scratch) {
  scratch->heap.clear();
  scratch->previous.resize(count);
  scratch->next.resize(count);
  for (size_t i = 0; i < count; ++i) {
    scratch->previous[i] = i == 0 ? kNone : static_cast<uint32_t>(i - 1);
    scratch->next[i] = i + 1 == count ? kNone : static_cast<uint32_t>(i + 1);
  }
}

}  // namespace

BpeMerges::BpeMerges(const std::vector<BpeMerge>& by_rank) {
  ranked_.reserve(by_rank.size());
  uint32_t rank = 0;
  for (const BpeMerge& merge : by_rank)
    ranked_.try_emplace(PairOf(merge.left, merge.right), Ranked{rank++, merge.result});
}

const BpeMerges::Ranked* BpeMerges::Find(uint32_t left, uint32_t right) const {
  auto found = ranked_.find(PairOf(left, right));
  return found == ranked_.end() ? nullptr : &found->second;
}

void BpeMerges::Push(const std::vector<uint32_t>& symbols, uint32_t position, Scratch* scratch) const {
  if (position == kNone || scratch->next[position] == kNone) return;
  const uint32_t left = symbols[position], right = symbols[scratch->next[position]];
  const Ranked* ranked = Find(left, right);
  if (ranked == nullptr) return;
  scratch->heap.push_back({ranked->rank, position, left, right});
  std::push_heap(scratch->heap.begin(), scratch->heap.end(), ComesLater);
}

// A merge keeps its left position and marks its right one kNone. Candidates that a merge overtook stay in the heap and
// are known by their symbols, which no longer stand there.
void BpeMerges::Apply(std::vector<uint32_t>* symbols, Scratch* scratch) const {
  std::vector<uint32_t>& symbol = *symbols;
  Link(symbol.size(), scratch);
  for (size_t i = 0; i < symbol.size(); ++i) Push(symbol, static_cast<uint32_t>(i), scratch);
  auto& [heap, previous, next] = *scratch;
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), ComesLater);
    const Candidate best = heap.back();
    heap.pop_back();
    const uint32_t right = symbol[best.position] == best.left ? next[best.position] : kNone;
    if (right == kNone || symbol[right] != best.right) continue;
    symbol[best.position] = Find(best.left, best.right)->result;
    symbol[right] = kNone;
    next[best.position] = next[right];
    if (next[right] != kNone) previous[next[right]] = best.position;
    Push(symbol, best.position, scratch);
    Push(symbol, previous[best.position], scratch);
  }
  std::erase(symbol, kNone);
}

}  // namespace ridgeline
