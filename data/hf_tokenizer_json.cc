// SPDX-License-Identifier: Apache-2.0
#include "data/hf_tokenizer_json.h"

#include "common/status_macros.h"
#include "data/bpe_index.h"
#include "data/hf_json.h"
#include "data/piece_spelling.h"
#include "fmt/format.h"
#include "weights/json.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

absl::Status Unsupported(const std::string& what) {
  return absl::UnimplementedError(
      fmt::format("{}; Ridgeline reads byte-pair encodings of GPT-2's kind (pre-tokenizer ByteLevel) and Gemma's kind "
                  "(spaces replaced by U+2581, byte_fallback); of other models give tokenizer.model",
                  what));
}

bool IsUnset(const Json& value) {
  return value.is_null() || value == false || value == "" || (value.is_number() && value == 0);
}

bool ReplacesSpaces(const Json& normalizer) {
  return At(normalizer, "type") == "Replace" && At(At(normalizer, "pattern"), "String") == " " &&
         At(normalizer, "content") == std::string(kSpaceSymbol);
}

// After ReplacesSpaces there is no space left to split at.
bool SplitsAtSpaces(const Json& pre_tokenizer) {
  return At(pre_tokenizer, "type") == "Split" && At(At(pre_tokenizer, "pattern"), "String") == " ";
}

absl::StatusOr<BpeSpelling> SpellingOf(const Json& json) {
  const Json& normalizer = At(json, "normalizer");
  const Json& pre_tokenizer = At(json, "pre_tokenizer");
  if (At(pre_tokenizer, "type") == "ByteLevel") {
    if (!normalizer.is_null()) return Unsupported("a normalizer before ByteLevel");
    if (!IsUnset(At(pre_tokenizer, "add_prefix_space")) || At(pre_tokenizer, "use_regex") == false)
      return Unsupported("ByteLevel with add_prefix_space or without its regular expression");
    return BpeSpelling::kBytes;
  }
  const bool by_spaces = ReplacesSpaces(normalizer) && (pre_tokenizer.is_null() || SplitsAtSpaces(pre_tokenizer));
  if (by_spaces && At(At(json, "model"), "byte_fallback") == true) return BpeSpelling::kSpaces;
  return Unsupported("another normalizer or pre-tokenizer");
}

absl::Status CheckModel(const Json& model) {
  if (!model.is_object()) return Wrong("model", "an object");
  if (!At(model, "type").is_null() && At(model, "type") != "BPE")
    return Unsupported(fmt::format("a model of type {}", At(model, "type").dump(-1, ' ', true)));
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges"}) {
    if (!IsUnset(At(model, key))) return Unsupported(fmt::format("a model with {}", key));
  }
  return absl::OkStatus();
}

absl::StatusOr<BpeVocabulary::AddedToken> AddedTokenOf(const Json& json) {
  const Json& id = At(json, "id");
  const Json& content = At(json, "content");
  if (!id.is_number_unsigned() || id.get<uint64_t>() >= kNoToken || !content.is_string())
    return Wrong("added_tokens", "a list of objects with 'id' and 'content'");
  for (const char* key : {"single_word", "lstrip", "rstrip"}) {
    if (!IsUnset(At(json, key))) return Unsupported(fmt::format("an added token with {}", key));
  }
  return BpeVocabulary::AddedToken{id.get<uint32_t>(), content.get<std::string>(), At(json, "special") == true};
}

absl::Status ReadAddedTokens(const Json& list, BpeVocabulary* vocabulary) {
  if (list.is_null()) return absl::OkStatus();
  if (!list.is_array()) return Wrong("added_tokens", "a list");
  for (const Json& entry : list) {
    ASSIGN_OR_RETURN(BpeVocabulary::AddedToken token, AddedTokenOf(entry));
    vocabulary->added.push_back(std::move(token));
  }
  return absl::OkStatus();
}

// "left right", or ["left", "right"] since tokenizers 0.20.
absl::Status ReadMerges(const Json& merges, BpeVocabulary* vocabulary) {
  if (!merges.is_array()) return Wrong("model.merges", "a list");
  vocabulary->merges.reserve(merges.size());
  for (const Json& merge : merges) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      vocabulary->merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    auto pair = SplitMerge(merge.is_string() ? merge.get_ref<const std::string&>() : std::string());
    if (!pair.has_value())
      return Wrong("model.merges", fmt::format("a list of pairs (entry {})", vocabulary->merges.size()));
    vocabulary->merges.push_back(*std::move(pair));
  }
  return absl::OkStatus();
}

std::optional<uint32_t> IdOf(const BpeVocabulary& vocabulary, std::string_view text) {
  for (const BpeVocabulary::AddedToken& token : vocabulary.added) {
    if (token.text == text) return token.id;
  }
  return std::nullopt;
}

// A template that begins with a special token puts it before every prompt.
void ReadTemplate(const Json& post_processor, BpeVocabulary* vocabulary) {
  const Json& steps = At(post_processor, "single");
  if (At(post_processor, "type") != "TemplateProcessing" || !steps.is_array() || steps.empty()) return;
  const Json& name = At(At(steps[0], "SpecialToken"), "id");
  if (!name.is_string()) return;
  vocabulary->special.bos_id = IdOf(*vocabulary, name.get_ref<const std::string&>());
  vocabulary->special.prompt_begins_with_bos = vocabulary->special.bos_id.has_value();
}

// {"content": "<s>"} or "<s>".
const Json& TextOfToken(const Json& token) { return token.is_object() ? At(token, "content") : token; }

}  // namespace

absl::StatusOr<BpeVocabulary> ParseHfTokenizerJson(std::string_view bytes) {
  ASSIGN_OR_RETURN(const Json json, ParseJsonObject(bytes));
  const Json& model = At(json, "model");
  RETURN_IF_ERROR(CheckModel(model));
  BpeVocabulary vocabulary;
  ASSIGN_OR_RETURN(vocabulary.spelling, SpellingOf(json));
  RETURN_IF_ERROR(ReadAddedTokens(At(json, "added_tokens"), &vocabulary));
  RETURN_IF_ERROR(ReadVocab(At(model, "vocab"), &vocabulary));
  RETURN_IF_ERROR(ReadMerges(At(model, "merges"), &vocabulary));
  ReadTemplate(At(json, "post_processor"), &vocabulary);
  FindSpecialTokensByName(&vocabulary);
  return vocabulary;
}

absl::Status ApplyHfTokenizerConfig(std::string_view bytes,
                                    const std::function<std::optional<uint32_t>(std::string_view)>& id_of,
                                    SpecialTokens* special) {
  ASSIGN_OR_RETURN(const Json json, ParseJsonObject(bytes));
  for (const auto& [key, id] : {std::pair("bos_token", &special->bos_id), std::pair("eos_token", &special->eos_id)}) {
    const Json& text = TextOfToken(At(json, key));
    if (text.is_null()) continue;
    if (!text.is_string()) return Wrong(key, "a text");
    *id = id_of(text.get_ref<const std::string&>());
    if (!id->has_value()) return Wrong(key, "a token of the vocabulary");
  }
  const Json& adds_bos = At(json, "add_bos_token");
  if (adds_bos.is_boolean()) special->prompt_begins_with_bos = adds_bos.get<bool>();
  special->prompt_begins_with_bos = special->prompt_begins_with_bos && special->bos_id.has_value();
  return absl::OkStatus();
}

}  // namespace ridgeline
