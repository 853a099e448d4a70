// SPDX-License-Identifier: Apache-2.0
// GPT-2's shape from a Hugging Face config.json.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/blueprint/gpt.h"
#include "nlohmann/json_fwd.hpp"

namespace ridgeline {

// A packed GPT's config.json says so where its linear layers have no biases, as GPT-2's have.
inline constexpr char kLinearBiasKey[] = "linear_bias";

// Whether it is a config.json with model_type gpt2.
bool IsGpt2Config(const nlohmann::json& root);

// INVALID_ARGUMENT names `path`, the key and what is wrong, also for features that Ridgeline does not compute and for
// keys that it does not know (model/config_reader.h).
absl::StatusOr<GptConfig> Gpt2ConfigFromJson(const nlohmann::json& root, const std::string& path);

}  // namespace ridgeline
