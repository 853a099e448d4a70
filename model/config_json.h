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

}  // namespace ridgeline
