// SPDX-License-Identifier: Apache-2.0
// A network from files: Hugging Face's config.json and safetensors, or a GGUF.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/language_model.h"
#include "model/packed_weights.h"

namespace ridgeline {

// What OpenModelFiles finds at `path`, with its errors. Weights are decoded from the mapping straight into the masters.
// DATA_LOSS and INVALID_ARGUMENT also say which tensor is wrong.
absl::StatusOr<std::unique_ptr<LanguageModel>> LoadModel(const std::string& path, const ModelOptions& options);

// The codes of a packed model, whose masters are what they stand for. Errors as above.
absl::StatusOr<PackedWeights> LoadCodes(const std::string& path);

// As it is to be used: layers of a packed model multiply with its codes (quant/packed), and quantize their inputs as it
// says; such weights have no masters. Every other model is unquantized. Errors as above.
absl::StatusOr<std::unique_ptr<LanguageModel>> LoadModelInUse(const std::string& path, at::ScalarType compute_dtype);

}  // namespace ridgeline
