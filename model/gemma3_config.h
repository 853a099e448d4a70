// SPDX-License-Identifier: Apache-2.0
// The shape of a Gemma 3 text model: by name, from a Hugging Face config.json, or from GGUF metadata. No LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"
#include "weights/gguf.h"

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

// A config.json of model_type gemma3_text, or gemma3 with its text_config. INVALID_ARGUMENT names `path`, the key and
// what is wrong, also for features that Ridgeline does not compute (soft-capping, attention biases, other activations,
// other scalings of positions) and for keys that it does not know (model/config_reader.h).
absl::StatusOr<Gemma3Config> Gemma3ConfigFromJson(const nlohmann::json& root, const std::string& path);

// Metadata of architecture gemma3; the vocabulary's size is that of the embedding tensor. Keys are held to the same
// rule as those of config.json.
absl::StatusOr<Gemma3Config> Gemma3ConfigFromGguf(const GgufFile& file, const std::string& path);

// Which layers slide if every `global_every`-th does not. REQUIRES: global_every > 0.
std::vector<bool> SlidingPattern(int64_t n_layers, int64_t global_every);

// INVALID_ARGUMENT if sizes are not positive or do not fit each other.
absl::Status ValidateGemma3Config(const Gemma3Config& config);

}  // namespace ridgeline
