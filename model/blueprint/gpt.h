// SPDX-License-Identifier: Apache-2.0
// A GPT before it is built: its sizes, by name, and its parameters. No LibTorch. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/blueprint/parameter_shape.h"

namespace ridgeline {

struct GptConfig {
  int64_t n_layers = 4;
  int64_t dim = 128;
  int64_t n_heads = 4;
  int64_t vocab_size = 0;
  int64_t seq_len = 128;    // Longest sequence: the number of learned positions.
  bool has_biases = false;  // Of the linear layers, as in GPT-2.
  bool gelu_tanh = false;   // GPT-2's approximation of GELU.
};

// The shape behind a name: "gpt-nano", "gpt-11m", "gpt2" (124M, its vocabulary and positions included).
// INVALID_ARGUMENT for others.
absl::StatusOr<GptConfig> GptShape(std::string_view name);

// INVALID_ARGUMENT if sizes are not positive or do not fit each other.
absl::Status ValidateGptConfig(const GptConfig& config);

// Names are nanoGPT's; Hugging Face's are those of GPT-2 without "transformer.". The token embedding, which is the head
// too, comes first.
ParameterList ParametersOf(const GptConfig& config);

}  // namespace ridgeline
