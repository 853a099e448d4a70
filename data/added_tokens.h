// SPDX-License-Identifier: Apache-2.0
// Tokens that are found in raw text before a model cuts it: <|endoftext|>, <start_of_turn>.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

namespace ridgeline {

// Immutable; thread-safe.
class AddedTokens {
 public:
  // REQUIRES: text not empty.
  void Add(std::string_view text, uint32_t id);

  // Calls `plain` with each stretch between tokens (never empty, first byte's offset in `text`) and `token` with each
  // token, in order. The leftmost token wins, then the longest. O(text x longest token). Ends at the first error.
  absl::Status ForEach(std::string_view text,
                       const std::function<absl::Status(std::string_view plain, size_t offset)>& plain,
                       const std::function<void(uint32_t id)>& token) const;

 private:
  struct Match {
    uint32_t id = 0;
    size_t size = 0;  // 0: none.
  };
  Match LongestAt(std::string_view text, size_t offset) const;

  // A trie: (node << 8 | byte) to node; node 0 is the root.
  absl::flat_hash_map<uint64_t, uint32_t> edges_;
  std::vector<std::optional<uint32_t>> id_of_node_ = {std::nullopt};
  std::vector<bool> begins_token_ = std::vector<bool>(256, false);  // By first byte.
};

}  // namespace ridgeline
