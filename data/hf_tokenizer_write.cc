// SPDX-License-Identifier: Apache-2.0
// The writing half of hf_tokenizer_json.h.
#include "data/hf_tokenizer_json.h"
#include "data/piece_spelling.h"
#include "nlohmann/json.hpp"

namespace ridgeline {
namespace {

// Sorted by key: the ordered kind looks through all keys at each insertion.
using Json = nlohmann::json;

Json AddedTokens(const BpeVocabulary& vocabulary) {
  Json list = Json::array();
  for (const BpeVocabulary::AddedToken& token : vocabulary.added) {
    list.push_back({{"id", token.id},
                    {"content", token.text},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", token.is_control}});
  }
  return list;
}

Json ByteLevel() {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
}

Json Replacement(std::string_view from, std::string_view to) {
  return {{"type", "Replace"}, {"pattern", {{"String", std::string(from)}}}, {"content", std::string(to)}};
}

Json SpaceDecoder() {
  const Json steps = {Replacement(kSpaceSymbol, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  return {{"type", "Sequence"}, {"decoders", steps}};
}

Json BosBeforeText(const BpeVocabulary& vocabulary) {
  if (!vocabulary.special.prompt_begins_with_bos) return nullptr;
  const uint32_t id = *vocabulary.special.bos_id;
  const std::string& bos = vocabulary.tokens[id];
  const Json bos_step = {{"SpecialToken", {{"id", bos}, {"type_id", 0}}}};
  auto text_step = [](const char* name, int type) { return Json{{"Sequence", {{"id", name}, {"type_id", type}}}}; };
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({bos_step, text_step("A", 0)})},
          {"pair", Json::array({bos_step, text_step("A", 0), text_step("B", 1)})},
          {"special_tokens", {{bos, {{"id", bos}, {"ids", Json::array({id})}, {"tokens", Json::array({bos})}}}}}};
}

Json Model(const BpeVocabulary& vocabulary) {
  Json vocab = Json::object();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) vocab.emplace(vocabulary.tokens[id], id);
  Json merges = Json::array();
  for (const auto& [left, right] : vocabulary.merges) merges.push_back(Json::array({left, right}));
  return {{"type", "BPE"},
          {"byte_fallback", vocabulary.spelling == BpeSpelling::kSpaces},
          {"vocab", std::move(vocab)},
          {"merges", std::move(merges)}};
}

}  // namespace

std::string WriteHfTokenizerJson(const BpeVocabulary& vocabulary) {
  const bool bytes = vocabulary.spelling == BpeSpelling::kBytes;
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", AddedTokens(vocabulary)},
                     {"normalizer", bytes ? Json() : Replacement(" ", kSpaceSymbol)},
                     {"pre_tokenizer", bytes ? ByteLevel() : Json()},
                     {"post_processor", BosBeforeText(vocabulary)},
                     {"decoder", bytes ? ByteLevel() : SpaceDecoder()},
                     {"model", Model(vocabulary)}};
  return json.dump() + "\n";
}

}  // namespace ridgeline
