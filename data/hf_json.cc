// SPDX-License-Identifier: Apache-2.0
#include "data/hf_json.h"

#include "fmt/format.h"

namespace ridgeline {
namespace {

// False if the id is none, out of range or another token's. Counts the places that were empty.
bool Place(const nlohmann::json& id, const std::string& text, std::vector<std::string>* tokens, size_t* count) {
  if (text.empty() || !id.is_number_unsigned() || id.get<uint64_t>() >= tokens->size()) return false;
  std::string& token = (*tokens)[id.get<size_t>()];
  if (token.empty())
    ++*count;
  else if (token != text)
    return false;
  token = text;
  return true;
}

}  // namespace

const nlohmann::json& At(const nlohmann::json& json, const char* key) {
  static const nlohmann::json null;
  if (!json.is_object()) return null;
  auto place = json.find(key);
  return place == json.end() ? null : *place;
}

absl::Status Wrong(const std::string& key, const std::string& expected) {
  return absl::DataLossError(fmt::format("'{}' is not {}", key, expected));
}

absl::Status ReadVocab(const nlohmann::json& vocab, BpeVocabulary* vocabulary) {
  if (!vocab.is_object()) return Wrong("vocab", "an object");
  std::vector<std::string>& tokens = vocabulary->tokens;
  tokens.assign(vocab.size() + vocabulary->added.size(), "");
  size_t count = 0;
  for (const auto& [text, id] : vocab.items()) {
    if (!Place(id, text, &tokens, &count)) return Wrong("vocab", "a map from texts to ids that count from 0");
  }
  for (const BpeVocabulary::AddedToken& token : vocabulary->added) {
    if (!Place(token.id, token.text, &tokens, &count)) return Wrong("added_tokens", "in accord with the vocab");
  }
  for (size_t id = 0; id < count; ++id) {
    if (tokens[id].empty()) return Wrong("vocab", fmt::format("complete: id {} is missing", id));
  }
  tokens.resize(count);
  return absl::OkStatus();
}

std::optional<std::pair<std::string, std::string>> SplitMerge(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) return std::nullopt;
  return std::pair(std::string(text.substr(0, space)), std::string(text.substr(space + 1)));
}

}  // namespace ridgeline
