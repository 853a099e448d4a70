// SPDX-License-Identifier: Apache-2.0
// The shape of a Gemma 3 text model from a Hugging Face config.json, or from GGUF metadata. No LibTorch.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/blueprint/gemma3.h"
#include "nlohmann/json_fwd.hpp"
#include "weights/gguf.h"

namespace ridgeline {

// A config.json of model_type gemma3_text, or gemma3 with its text_config. INVALID_ARGUMENT names `path`, the key and
// what is wrong, also for features that Ridgeline does not compute (soft-capping, attention biases, other activations,
// other scalings of positions) and for keys that it does not know (model/config_reader.h).
absl::StatusOr<Gemma3Config> Gemma3ConfigFromJson(const nlohmann::json& root, const std::string& path);

// Metadata of architecture gemma3; the vocabulary's size is that of the embedding tensor. Keys are held to the same
// rule as those of config.json.
absl::StatusOr<Gemma3Config> Gemma3ConfigFromGguf(const GgufFile& file, const std::string& path);

}  // namespace ridgeline
