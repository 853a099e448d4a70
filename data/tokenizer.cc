// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizer.h"

#include "data/char_tokenizer.h"
#include "data/sentencepiece_tokenizer.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& json) {
  nlohmann::json object = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  auto kind = object.is_object() ? object.find("kind") : object.end();
  if (!object.is_object() || kind == object.end() || !kind->is_string())
    return absl::InvalidArgumentError("a tokenizer is a JSON object with a 'kind'");
  if (*kind == "char") return CharTokenizerFromJson(object);
  if (*kind == "sentencepiece") return SentencePieceTokenizerFromJson(object);
  return absl::InvalidArgumentError(
      fmt::format("unknown tokenizer kind '{}' (allowed: char, sentencepiece)", kind->get<std::string>()));
}

}  // namespace ridgeline
