// SPDX-License-Identifier: Apache-2.0
// The shape of any network that Ridgeline trains, and what the two families' shapes have in common. No LibTorch.
// Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "model/blueprint/gemma3.h"
#include "model/blueprint/gpt.h"

namespace ridgeline {

using ModelConfig = std::variant<GptConfig, Gemma3Config>;

// Shapes that have a name, in the order in which people are told of them. INVALID_ARGUMENT for other names.
std::span<const std::string_view> ModelNames();
absl::StatusOr<ModelConfig> NamedModel(std::string_view name);

int64_t VocabSizeOf(const ModelConfig& config);
int64_t LongestSequenceOf(const ModelConfig& config);
int64_t WidthOf(const ModelConfig& config);  // Of the residual stream.

ParameterList ParametersOf(const ModelConfig& config);

// Distinct numbers of input features of the linear layers: lengths of the rows that blocks and sparse groups cut.
std::vector<int64_t> RowLengths(const ModelConfig& config);

}  // namespace ridgeline
