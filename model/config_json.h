// SPDX-License-Identifier: Apache-2.0
// A network's shape as the config.json that transformers and LoadModel read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "model/language_model.h"
#include "weights/dtype.h"

namespace ridgeline {

// Ids of the tokens around a text, for config.json; absent ones are null there.
struct TextBounds {
  std::optional<uint32_t> bos_id, eos_id;
};

// `dtype`: that of the weights beside it. A GPT is written as GPT-2 with its own activation; its linear layers have
// biases there. UNIMPLEMENTED for networks that no config.json describes.
absl::StatusOr<std::string> HuggingFaceConfigOf(const LanguageModel& model, Dtype dtype, const TextBounds& bounds);

// The same beside packed weights (docs/formats.md#packed-models): with the model's quantizers, and a GPT's linear
// layers as they are, also without biases.
absl::StatusOr<std::string> PackedConfigOf(const LanguageModel& model, Dtype dtype, const TextBounds& bounds);

}  // namespace ridgeline
