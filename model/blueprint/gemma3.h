// SPDX-License-Identifier: Apache-2.0
// Gemma 3's text model before it is built: its sizes, by name, and its parameters. No LibTorch. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/blueprint/parameter_shape.h"

namespace ridgeline {

struct Gemma3Config {
  int64_t vocab_size = 262144;
  int64_t dim = 640;
  int64_t n_layers = 18;
  int64_t mlp_dim = 2048;
  int64_t n_heads = 4;
  int64_t n_kv_heads = 1;
  int64_t head_dim = 256;
  int64_t max_length = 32768;
  int64_t sliding_window = 512;
  std::vector<bool> slides;  // One a layer; every sixth does not, unless the config says otherwise.
  double rope_global_base = 1e6;
  double rope_local_base = 1e4;
  double rope_global_factor = 1;  // Positions of the global layers are divided by it (8 in the 4B).
  double query_scale = 256;       // Scores are divided by its root.
  double norm_epsilon = 1e-6;
  double initializer_range = 0.02;
};

// "gemma3-270m", "gemma3-1b", "gemma3-4b". INVALID_ARGUMENT for others.
absl::StatusOr<Gemma3Config> Gemma3Shape(std::string_view name);

// The layer types of the published models: all slide but every sixth.
inline constexpr int64_t kGemma3GlobalEvery = 6;
std::vector<bool> SlidingPattern(int64_t n_layers, int64_t global_every);

// INVALID_ARGUMENT if sizes are not positive or do not fit each other.
absl::Status ValidateGemma3Config(const Gemma3Config& config);

// Names are Hugging Face's. The embedding, which is the head too, comes first.
ParameterList ParametersOf(const Gemma3Config& config);

}  // namespace ridgeline
