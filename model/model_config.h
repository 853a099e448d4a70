// SPDX-License-Identifier: Apache-2.0
// The shape of any network that Ridgeline trains, and what the two families' shapes have in common. No LibTorch.
// Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "model/gemma3_config.h"
#include "model/gpt_config.h"

namespace ridgeline {

using ModelConfig = std::variant<GptConfig, Gemma3Config>;

int64_t VocabSizeOf(const ModelConfig& config);
int64_t LongestSequenceOf(const ModelConfig& config);

// Whether a name matches one of these patterns (*, ?): how layers are left out of quantization.
bool MatchesAny(const std::vector<std::string>& patterns, const std::string& name);

}  // namespace ridgeline
