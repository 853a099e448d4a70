// SPDX-License-Identifier: Apache-2.0
#include "data/bpe_index.h"

#include <algorithm>

#include "common/status_macros.h"
#include "common/utf8.h"
#include "data/byte_alphabet.h"
#include "data/line_cut.h"
#include "data/piece_spelling.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

using IdOfText = absl::flat_hash_map<std::string_view, uint32_t>;

// Far above any real vocabulary (Gemma's 262,144), far below kNoToken.
constexpr size_t kMaxTokens = size_t{1} << 26;

std::string BytesOfToken(BpeSpelling spelling, const std::string& token) {
  if (spelling == BpeSpelling::kBytes) return BytesOfSpelling(token).value_or(token);
  const int byte = ByteOfFallbackToken(token);
  if (byte >= 0) return std::string(1, static_cast<char>(byte));
  return UnspellSpaces(token);
}

absl::StatusOr<IdOfText> IndexTexts(const std::vector<std::string>& tokens) {
  if (tokens.empty() || tokens.size() > kMaxTokens)
    return absl::DataLossError(fmt::format("{} tokens, not 1 to {}", tokens.size(), kMaxTokens));
  IdOfText ids;
  ids.reserve(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty() || !Utf8ToCodePoints(tokens[id]).ok())
      return absl::DataLossError(fmt::format("token {} is empty or not UTF-8", id));
    if (!ids.try_emplace(tokens[id], static_cast<uint32_t>(id)).second)
      return absl::DataLossError(fmt::format("token {} repeats the text of token {}", id, ids[tokens[id]]));
  }
  return ids;
}

absl::StatusOr<BpeMerges> IndexMerges(const BpeVocabulary& vocabulary, const IdOfText& ids) {
  std::vector<BpeMerge> by_rank;
  by_rank.reserve(vocabulary.merges.size());
  for (const auto& [left, right] : vocabulary.merges) {
    auto left_id = ids.find(left), right_id = ids.find(right), result_id = ids.find(left + right);
    if (left_id == ids.end() || right_id == ids.end() || result_id == ids.end()) {
      return absl::DataLossError(fmt::format("merge {}: '{}' or '{}', or both joined, is no token", by_rank.size(),
                                             ToValidUtf8(left), ToValidUtf8(right)));
    }
    by_rank.push_back({left_id->second, right_id->second, result_id->second});
  }
  return BpeMerges(by_rank);
}

absl::Status IndexAdded(const BpeVocabulary& vocabulary, BpeIndex* index) {
  for (const BpeVocabulary::AddedToken& token : vocabulary.added) {
    if (token.id >= vocabulary.tokens.size() || token.text.empty() || !Utf8ToCodePoints(token.text).ok())
      return absl::DataLossError(fmt::format("added token {} is outside the vocabulary, empty or not UTF-8", token.id));
    index->added.Add(token.text, token.id);
    index->bytes_of_id[token.id] = token.text;
    index->is_control[token.id] = token.is_control;
    // Between words cuts go before spaces and line breaks; for the other spelling IndexCharacters has looked.
    if (vocabulary.spelling == BpeSpelling::kBytes && token.text.find_first_of(" \n") != std::string::npos)
      index->has_uncuttable_token = true;
  }
  return absl::OkStatus();
}

void IndexBytes(BpeSpelling spelling, const IdOfText& ids, BpeIndex* index) {
  for (int byte = 0; byte < 256; ++byte) {
    auto id = ids.find(spelling == BpeSpelling::kBytes ? SpellByte(static_cast<unsigned char>(byte))
                                                       : fmt::format("<0x{:02X}>", byte));
    index->id_of_byte[static_cast<size_t>(byte)] = id == ids.end() ? kNoToken : id->second;
  }
}

// REQUIRES: every token is UTF-8.
void IndexCharacters(const std::vector<std::string>& tokens, BpeIndex* index) {
  for (size_t id = 0; id < tokens.size(); ++id) {
    const Utf8Character character = Utf8At(tokens[id], 0);
    if (character.size == tokens[id].size())
      index->id_of_character.try_emplace(character.code_point, static_cast<uint32_t>(id));
    if (ContinuesAfterLineBreak(tokens[id])) index->has_uncuttable_token = true;
    index->cuts.Add(tokens[id]);
  }
}

bool MergesBytes(const BpeVocabulary& vocabulary) {
  return std::any_of(vocabulary.merges.begin(), vocabulary.merges.end(), [](const auto& merge) {
    return ByteOfFallbackToken(merge.first) >= 0 || ByteOfFallbackToken(merge.second) >= 0;
  });
}

absl::Status CheckSpecialTokens(const BpeVocabulary& vocabulary) {
  for (std::optional<uint32_t> id : {vocabulary.special.bos_id, vocabulary.special.eos_id}) {
    if (id.value_or(0) >= vocabulary.tokens.size())
      return absl::DataLossError(fmt::format("bos or eos is id {}, outside the vocabulary", *id));
  }
  if (!vocabulary.special.prompt_begins_with_bos || vocabulary.special.bos_id.has_value()) return absl::OkStatus();
  return absl::DataLossError("prompts shall begin with bos, but no token is bos");
}

}  // namespace

absl::StatusOr<BpeIndex> IndexBpe(const BpeVocabulary& vocabulary) {
  ASSIGN_OR_RETURN(const IdOfText ids, IndexTexts(vocabulary.tokens));
  RETURN_IF_ERROR(CheckSpecialTokens(vocabulary));
  BpeIndex index;
  ASSIGN_OR_RETURN(index.merges, IndexMerges(vocabulary, ids));
  IndexBytes(vocabulary.spelling, ids, &index);
  if (vocabulary.spelling == BpeSpelling::kSpaces) {
    IndexCharacters(vocabulary.tokens, &index);
    index.merges_bytes = MergesBytes(vocabulary);
  }
  index.is_control.resize(vocabulary.tokens.size());
  index.bytes_of_id.reserve(vocabulary.tokens.size());
  for (const std::string& token : vocabulary.tokens)
    index.bytes_of_id.push_back(BytesOfToken(vocabulary.spelling, token));
  RETURN_IF_ERROR(IndexAdded(vocabulary, &index));
  return index;
}

}  // namespace ridgeline
