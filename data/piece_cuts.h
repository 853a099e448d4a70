// SPDX-License-Identifier: Apache-2.0
// Where a text may be cut so that its parts have the ids of the whole: between two characters that stand side by side
// in no token of the vocabulary. Whatever merges, a symbol is always a token, so none reaches over such a place, and
// what merges on one side does not depend on the other.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/container/flat_hash_set.h"

namespace ridgeline {

// Immutable once all tokens are added; then thread-safe. A space and U+2581, by which tokens spell it, are one.
class PieceCuts {
 public:
  void Add(std::string_view token);  // REQUIRES: UTF-8.
  // The first place behind `begin` where a part that begins there may end. REQUIRES: UTF-8, begin < text.size().
  size_t NextCut(std::string_view text, size_t begin) const;

 private:
  static constexpr size_t kAscii = 128;
  bool MayCut(char32_t left, char32_t right) const;

  std::bitset<kAscii * kAscii> ascii_;  // Pairs that stand in a token.
  absl::flat_hash_set<uint64_t> others_;
};

}  // namespace ridgeline
