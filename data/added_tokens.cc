// SPDX-License-Identifier: Apache-2.0
#include "data/added_tokens.h"

#include "common/status_macros.h"

namespace ridgeline {
namespace {

uint64_t EdgeOf(uint32_t node, char byte) { return uint64_t{node} << 8 | static_cast<uint8_t>(byte); }

}  // namespace

void AddedTokens::Add(std::string_view text, uint32_t id) {
  begins_token_[static_cast<uint8_t>(text[0])] = true;
  uint32_t node = 0;
  for (char byte : text) {
    auto [edge, is_new] = edges_.try_emplace(EdgeOf(node, byte), static_cast<uint32_t>(id_of_node_.size()));
    if (is_new) id_of_node_.emplace_back();
    node = edge->second;
  }
  id_of_node_[node] = id;
}

AddedTokens::Match AddedTokens::LongestAt(std::string_view text, size_t offset) const {
  Match longest;
  uint32_t node = 0;
  for (size_t end = offset; end < text.size(); ++end) {
    auto edge = edges_.find(EdgeOf(node, text[end]));
    if (edge == edges_.end()) break;
    node = edge->second;
    if (id_of_node_[node].has_value()) longest = {*id_of_node_[node], end + 1 - offset};
  }
  return longest;
}

absl::Status AddedTokens::ForEach(std::string_view text,
                                  const std::function<absl::Status(std::string_view plain, size_t offset)>& plain,
                                  const std::function<void(uint32_t id)>& token) const {
  size_t begin = 0;
  for (size_t offset = 0; offset < text.size();) {
    const Match match = begins_token_[static_cast<uint8_t>(text[offset])] ? LongestAt(text, offset) : Match{};
    if (match.size == 0) {
      ++offset;
      continue;
    }
    if (begin < offset) RETURN_IF_ERROR(plain(text.substr(begin, offset - begin), begin));
    token(match.id);
    begin = offset += match.size;
  }
  return begin < text.size() ? plain(text.substr(begin), begin) : absl::OkStatus();
}

}  // namespace ridgeline
