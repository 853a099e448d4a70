// SPDX-License-Identifier: Apache-2.0
#include "model/gpt_config.h"

#include "fmt/format.h"

namespace ridgeline {

absl::StatusOr<GptConfig> GptShape(const std::string& name) {
  if (name == "gpt-nano") return GptConfig{.n_layers = 4, .dim = 128, .n_heads = 4};
  if (name == "gpt-11m") return GptConfig{.n_layers = 6, .dim = 384, .n_heads = 6};
  if (name == "gpt2")
    return GptConfig{.n_layers = 12,
                     .dim = 768,
                     .n_heads = 12,
                     .vocab_size = 50257,
                     .seq_len = 1024,
                     .has_biases = true,
                     .gelu_tanh = true};
  return absl::InvalidArgumentError(fmt::format("no GPT shape is called '{}': gpt-nano, gpt-11m, gpt2", name));
}

}  // namespace ridgeline
