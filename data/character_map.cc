// SPDX-License-Identifier: Apache-2.0
#include "data/character_map.h"

#include <cstdint>
#include <cstring>
#include <vector>

namespace ridgeline {
namespace {

// A unit of the trie: the byte that leads to it, whether a value lies among its children, and where these begin
// relative to it. A unit with the top bit set is a value itself, and no byte leads to it.
bool IsValue(uint32_t unit) { return unit >> 31 != 0; }
bool HasValue(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t ValueOf(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t ChildrenOf(uint32_t unit, uint32_t position) { return position ^ (unit >> 10 << ((unit & 1u << 9) >> 6)); }

bool StaysInside(const std::vector<uint32_t>& units, size_t replacement_bytes) {
  for (uint32_t position = 0; position < units.size(); ++position) {
    if (position != 0 && IsValue(units[position])) continue;  // The walk begins at the root, whatever that says it is.
    const uint32_t children = ChildrenOf(units[position], position);
    if ((children | 0xFF) >= units.size()) return false;
    if (HasValue(units[position]) && ValueOf(units[children]) >= replacement_bytes) return false;
  }
  return true;
}

}  // namespace

absl::Status CheckCharacterMap(std::string_view map) {
  if (map.empty()) return absl::OkStatus();
  const auto wrong = absl::DataLossError("the normalizer's character map is cut off or points outside itself");
  uint32_t trie_bytes = 0;
  if (map.size() < sizeof trie_bytes) return wrong;
  std::memcpy(&trie_bytes, map.data(), sizeof trie_bytes);
  map.remove_prefix(sizeof trie_bytes);
  if (trie_bytes == 0 || trie_bytes % sizeof(uint32_t) != 0 || trie_bytes >= map.size()) return wrong;
  std::vector<uint32_t> units(trie_bytes / sizeof(uint32_t));
  std::memcpy(units.data(), map.data(), trie_bytes);
  const std::string_view replacements = map.substr(trie_bytes);
  return replacements.back() == '\0' && StaysInside(units, replacements.size()) ? absl::OkStatus() : wrong;
}

}  // namespace ridgeline
