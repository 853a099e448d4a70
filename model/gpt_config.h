// SPDX-License-Identifier: Apache-2.0
// The shape of a GPT, by name. No LibTorch.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

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
absl::StatusOr<GptConfig> GptShape(const std::string& name);

}  // namespace ridgeline
