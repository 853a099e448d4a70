// SPDX-License-Identifier: Apache-2.0
// A BpeVocabulary checked and indexed: what BpeTokenizer looks up.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "data/added_tokens.h"
#include "data/bpe_merges.h"
#include "data/bpe_vocabulary.h"
#include "data/piece_cuts.h"

namespace ridgeline {

inline constexpr uint32_t kNoToken = 0xFFFFFFFF;

// Immutable; thread-safe.
struct BpeIndex {
  AddedTokens added;
  BpeMerges merges{{}};
  std::array<uint32_t, 256> id_of_byte{};                   // kNoToken where there is none.
  absl::flat_hash_map<char32_t, uint32_t> id_of_character;  // kSpaces only.
  std::vector<std::string> bytes_of_id;
  std::vector<bool> is_control;
  bool has_uncuttable_token = false;  // One that reaches over the places where CutAfter cuts.
  PieceCuts cuts;                     // kSpaces only.
  bool merges_bytes = false;          // kSpaces only: some merge joins bytes of characters that are no tokens.
};

// DATA_LOSS as MakeBpeTokenizer says.
absl::StatusOr<BpeIndex> IndexBpe(const BpeVocabulary& vocabulary);

}  // namespace ridgeline
