// SPDX-License-Identifier: Apache-2.0
// A network from files: Hugging Face's config.json and safetensors, or a GGUF.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/language_model.h"

namespace ridgeline {

// `path`: a .gguf file, or a folder that holds exactly one, or one with config.json and safetensors (one file or shards).
// Gemma 3 from either, GPT-2 from safetensors. Weights are decoded from the mapping straight into the masters.
// NOT_FOUND, INVALID_ARGUMENT and DATA_LOSS say which file, key or tensor is wrong.
absl::StatusOr<std::unique_ptr<LanguageModel>> LoadModel(const std::string& path, const ModelOptions& options);

}  // namespace ridgeline
