// SPDX-License-Identifier: Apache-2.0
// SpecialTokens and a tokenizer file's hash within a tokenizer's JSON object.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "data/tokenizer.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

// {"kind", "file_sha256", "bos_id", "eos_id", "prompt_begins_with_bos"}; absent ids are left out.
nlohmann::ordered_json FileTokenizerJson(std::string_view kind, std::string_view file_bytes,
                                         const SpecialTokens& special);

// DATA_LOSS if the file is another one than the JSON names.
absl::Status CheckTokenizerFile(const nlohmann::json& json, std::string_view file_bytes);

// DATA_LOSS for ids that are not below vocab_size.
absl::StatusOr<SpecialTokens> SpecialTokensFromJson(const nlohmann::json& json, int64_t vocab_size);

}  // namespace ridgeline
