// SPDX-License-Identifier: Apache-2.0
#include "model/blueprint/gpt.h"

#include <string>

#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr double kInitialStddev = 0.02;

ParameterShape Embedding(const std::string& name, ParameterKind kind, int64_t rows, int64_t columns) {
  return {.name = name,
          .kind = kind,
          .sizes = {rows, columns},
          .first_values = {.stddev = kInitialStddev},
          .hugging_face = {.name = name}};
}

ParameterShape Vector(const std::string& name, const std::string& gpt2_name, int64_t size, double value) {
  return {.name = name, .sizes = {size}, .first_values = {.mean = value}, .hugging_face = {.name = gpt2_name}};
}

void AddNorm(const std::string& name, int64_t size, ParameterList* list) {
  list->push_back(Vector(name + ".weight", name + ".weight", size, 1));
  list->push_back(Vector(name + ".bias", name + ".bias", size, 0));
}

void AddBlock(const GptConfig& config, int64_t block, ParameterList* list) {
  const size_t begin = list->size();
  const std::string at = fmt::format("h.{}.", block);
  const int64_t c = config.dim;
  auto linear = [&](const std::string& name, const std::string& gpt2_name, LayerInput input, int64_t rows,
                    int64_t columns) {
    list->push_back({.name = at + name + ".weight",
                     .kind = ParameterKind::kLinear,
                     .sizes = {rows, columns},
                     .first_values = {.stddev = kInitialStddev},
                     .input = input,
                     .hugging_face = {.name = at + gpt2_name + ".weight", .is_transposed = true}});
    if (config.has_biases) list->push_back(Vector(at + name + ".bias", at + gpt2_name + ".bias", rows, 0));
  };
  AddNorm(at + "ln_1", c, list);
  linear("attn.qkv", "attn.c_attn", LayerInput::kAttention, 3 * c, c);
  linear("attn.proj", "attn.c_proj", LayerInput::kMixed, c, c);
  AddNorm(at + "ln_2", c, list);
  linear("mlp.fc", "mlp.c_fc", LayerInput::kMlp, 4 * c, c);
  linear("mlp.proj", "mlp.c_proj", LayerInput::kInner, c, 4 * c);
  for (size_t i = begin; i < list->size(); ++i) (*list)[i].block = block;
}

}  // namespace

absl::StatusOr<GptConfig> GptShape(std::string_view name) {
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

absl::Status ValidateGptConfig(const GptConfig& config) {
  if (config.n_layers < 1 || config.dim < 1 || config.n_heads < 1 || config.vocab_size < 1 || config.seq_len < 1)
    return absl::InvalidArgumentError(
        fmt::format("a GPT needs positive sizes; got n_layers {}, dim {}, n_heads {}, vocab_size {}, seq_len {}",
                    config.n_layers, config.dim, config.n_heads, config.vocab_size, config.seq_len));
  if (config.dim % config.n_heads != 0)
    return absl::InvalidArgumentError(
        fmt::format("model.dim {} is not a multiple of model.n_heads {}", config.dim, config.n_heads));
  return absl::OkStatus();
}

ParameterList ParametersOf(const GptConfig& config) {
  ParameterList list = {Embedding("wte.weight", ParameterKind::kEmbedding, config.vocab_size, config.dim),
                        Embedding("wpe.weight", ParameterKind::kPositions, config.seq_len, config.dim)};
  for (int64_t block = 0; block < config.n_layers; ++block) AddBlock(config, block, &list);
  AddNorm("ln_f", config.dim, &list);
  return list;
}

}  // namespace ridgeline
