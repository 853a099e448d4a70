// SPDX-License-Identifier: Apache-2.0
// GPT-2's shape from a Hugging Face config.json.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/gpt_config.h"

namespace ridgeline {

// Whether the text is a config.json with model_type gpt2.
bool IsGpt2Config(std::string_view json);

// INVALID_ARGUMENT names `path`, the key and what is wrong, also for features that Ridgeline does not compute.
absl::StatusOr<GptConfig> Gpt2ConfigFromJson(std::string_view json, const std::string& path);

}  // namespace ridgeline
