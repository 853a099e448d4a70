// SPDX-License-Identifier: Apache-2.0
#include "data/special_tokens_json.h"

#include "common/sha256.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

absl::StatusOr<std::optional<uint32_t>> IdAt(const nlohmann::json& json, const char* key, int64_t vocab_size) {
  auto id = json.find(key);
  if (id == json.end()) return std::nullopt;
  if (!id->is_number_unsigned() || id->get<uint64_t>() >= static_cast<uint64_t>(vocab_size))
    return absl::DataLossError(fmt::format("'{}' is not an id below {}", key, vocab_size));
  return id->get<uint32_t>();
}

}  // namespace

nlohmann::ordered_json FileTokenizerJson(std::string_view kind, std::string_view file_bytes,
                                         const SpecialTokens& special) {
  nlohmann::ordered_json json = {{"kind", std::string(kind)}, {"file_sha256", Sha256Hex(file_bytes)}};
  if (special.bos_id.has_value()) json["bos_id"] = *special.bos_id;
  if (special.eos_id.has_value()) json["eos_id"] = *special.eos_id;
  json["prompt_begins_with_bos"] = special.prompt_begins_with_bos;
  return json;
}

absl::Status CheckTokenizerFile(const nlohmann::json& json, std::string_view file_bytes) {
  auto hash = json.find("file_sha256");
  if (hash == json.end() || !hash->is_string())
    return absl::DataLossError("the tokenizer lacks 'file_sha256', the hash of its file");
  if (hash->get_ref<const std::string&>() == Sha256Hex(file_bytes)) return absl::OkStatus();
  return absl::DataLossError("the tokenizer file's SHA-256 is not 'file_sha256'");
}

absl::StatusOr<SpecialTokens> SpecialTokensFromJson(const nlohmann::json& json, int64_t vocab_size) {
  SpecialTokens special;
  ASSIGN_OR_RETURN(special.bos_id, IdAt(json, "bos_id", vocab_size));
  ASSIGN_OR_RETURN(special.eos_id, IdAt(json, "eos_id", vocab_size));
  auto prompt = json.find("prompt_begins_with_bos");
  if (prompt == json.end() || !prompt->is_boolean())
    return absl::DataLossError("'prompt_begins_with_bos' is missing or neither true nor false");
  special.prompt_begins_with_bos = prompt->get<bool>();
  if (!special.prompt_begins_with_bos || special.bos_id.has_value()) return special;
  return absl::DataLossError("'prompt_begins_with_bos' is true, but there is no 'bos_id'");
}

}  // namespace ridgeline
