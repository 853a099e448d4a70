// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizer.h"

#include "common/status_macros.h"
#include "data/bpe_tokenizer.h"
#include "data/char_tokenizer.h"
#include "data/sentencepiece_tokenizer.h"
#include "data/stream_decoder.h"
#include "fmt/format.h"
#include "weights/json.h"

namespace ridgeline {

absl::StatusOr<std::string> Tokenizer::Decode(const std::vector<uint32_t>& ids, ControlTokens control) const {
  StreamDecoder decoder(*this, control);
  std::string text;
  for (uint32_t id : ids) {
    ASSIGN_OR_RETURN(std::string piece, decoder.Add(id));
    text += piece;
  }
  return text + decoder.Finish();
}

absl::StatusOr<std::vector<uint32_t>> EncodePrompt(const Tokenizer& tokenizer, std::string_view text) {
  ASSIGN_OR_RETURN(std::vector<uint32_t> ids, tokenizer.Encode(text));
  const SpecialTokens special = tokenizer.special_tokens();
  if (special.prompt_begins_with_bos && special.bos_id.has_value()) ids.insert(ids.begin(), *special.bos_id);
  return ids;
}

std::string TokenizerFileName(std::string_view kind) {
  if (kind == "sentencepiece") return "tokenizer.model";
  if (kind == "bpe") return "tokenizer.json";
  return "";
}

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& json, std::string_view file_bytes) {
  ASSIGN_OR_RETURN(const nlohmann::json object, ParseJsonObject(json));
  const auto kind = object.find("kind");
  if (kind == object.end() || !kind->is_string())
    return absl::DataLossError("a tokenizer is a JSON object with a 'kind'");
  if (*kind == "char") return CharTokenizerFromJson(object);
  if (*kind == "sentencepiece") return SentencePieceTokenizerFromJson(object, file_bytes);
  if (*kind == "bpe") return BpeTokenizerFromJson(object, file_bytes);
  return absl::DataLossError(
      fmt::format("unknown tokenizer kind '{}' (allowed: char, sentencepiece, bpe)", kind->get<std::string>()));
}

}  // namespace ridgeline
