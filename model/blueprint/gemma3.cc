// SPDX-License-Identifier: Apache-2.0
#include "model/blueprint/gemma3.h"

#include <cmath>
#include <string>

#include "fmt/format.h"

namespace ridgeline {
namespace {

// No size of a model that exists comes near; products of two of them stay far from overflow.
constexpr double kMaxSize = 1e7;

ParameterShape Matrix(const std::string& name, const std::string& gguf_name, ParameterKind kind, int64_t rows,
                      int64_t columns, double stddev) {
  return {.name = name,
          .kind = kind,
          .sizes = {rows, columns},
          .first_values = {.stddev = stddev},
          .hugging_face = {.name = name},
          .gguf = {.name = gguf_name}};
}

// The weight is added to one.
ParameterShape Norm(const std::string& name, const std::string& gguf_name, int64_t size) {
  return {.name = name,
          .sizes = {size},
          .hugging_face = {.name = name},
          .gguf = {.name = gguf_name, .has_one_added = true}};
}

void AddLayer(const Gemma3Config& config, int64_t block, ParameterList* list) {
  const size_t begin = list->size();
  const std::string at = fmt::format("model.layers.{}.", block), in_gguf = fmt::format("blk.{}.", block);
  const int64_t c = config.dim, f = config.mlp_dim, d = config.head_dim;
  const int64_t query_width = config.n_heads * d, kv_width = config.n_kv_heads * d;
  auto norm = [&](const std::string& name, const std::string& gguf_name, int64_t size) {
    list->push_back(Norm(at + name + ".weight", in_gguf + gguf_name + ".weight", size));
  };
  auto linear = [&](const std::string& name, const std::string& gguf_name, LayerInput input, int64_t rows,
                    int64_t columns) {
    list->push_back(Matrix(at + name + ".weight", in_gguf + gguf_name + ".weight", ParameterKind::kLinear, rows,
                           columns, config.initializer_range));
    list->back().input = input;
  };
  norm("input_layernorm", "attn_norm", c);
  linear("self_attn.q_proj", "attn_q", LayerInput::kAttention, query_width, c);
  linear("self_attn.k_proj", "attn_k", LayerInput::kAttention, kv_width, c);
  linear("self_attn.v_proj", "attn_v", LayerInput::kAttention, kv_width, c);
  linear("self_attn.o_proj", "attn_output", LayerInput::kMixed, c, query_width);
  norm("self_attn.q_norm", "attn_q_norm", d);
  norm("self_attn.k_norm", "attn_k_norm", d);
  norm("post_attention_layernorm", "post_attention_norm", c);
  norm("pre_feedforward_layernorm", "ffn_norm", c);
  linear("mlp.gate_proj", "ffn_gate", LayerInput::kMlp, f, c);
  linear("mlp.up_proj", "ffn_up", LayerInput::kMlp, f, c);
  linear("mlp.down_proj", "ffn_down", LayerInput::kInner, c, f);
  norm("post_feedforward_layernorm", "post_ffw_norm", c);
  for (size_t i = begin; i < list->size(); ++i) (*list)[i].block = block;
}

}  // namespace

std::vector<bool> SlidingPattern(int64_t n_layers, int64_t global_every) {
  std::vector<bool> slides;
  for (int64_t i = 0; i < n_layers; ++i) slides.push_back((i + 1) % global_every != 0);
  return slides;
}

absl::Status ValidateGemma3Config(const Gemma3Config& config) {
  auto bad = [](const std::string& what) { return absl::InvalidArgumentError("a Gemma 3 model needs " + what); };
  for (int64_t size : {config.vocab_size, config.dim, config.n_layers, config.mlp_dim, config.n_heads,
                       config.n_kv_heads, config.head_dim, config.max_length, config.sliding_window})
    if (size < 1 || static_cast<double>(size) > kMaxSize) return bad(fmt::format("positive sizes, got {}", size));
  if (config.n_heads % config.n_kv_heads != 0)
    return bad(fmt::format("n_heads {} to be a multiple of n_kv_heads {}", config.n_heads, config.n_kv_heads));
  if (config.head_dim % 2 != 0) return bad(fmt::format("an even head_dim, got {}", config.head_dim));
  if (static_cast<int64_t>(config.slides.size()) != config.n_layers) return bad("a layer type for each layer");
  for (double positive : {config.rope_global_base, config.rope_local_base, config.rope_global_factor,
                          config.query_scale, config.norm_epsilon, config.initializer_range})
    if (!(positive > 0) || !std::isfinite(positive)) return bad(fmt::format("positive numbers, got {}", positive));
  return absl::OkStatus();
}

absl::StatusOr<Gemma3Config> Gemma3Shape(std::string_view name) {
  Gemma3Config config;
  if (name == "gemma3-1b") {
    config.dim = 1152, config.n_layers = 26, config.mlp_dim = 6912;
  } else if (name == "gemma3-4b") {
    config.dim = 2560, config.n_layers = 34, config.mlp_dim = 10240, config.n_heads = 8, config.n_kv_heads = 4;
    config.sliding_window = 1024, config.rope_global_factor = 8, config.max_length = 131072;
  } else if (name != "gemma3-270m") {
    return absl::InvalidArgumentError(
        fmt::format("no Gemma 3 shape is called '{}': gemma3-270m, gemma3-1b, gemma3-4b", name));
  }
  config.slides = SlidingPattern(config.n_layers, kGemma3GlobalEvery);
  return config;
}

ParameterList ParametersOf(const Gemma3Config& config) {
  ParameterList list = {Matrix("model.embed_tokens.weight", "token_embd.weight", ParameterKind::kEmbedding,
                               config.vocab_size, config.dim, config.initializer_range)};
  for (int64_t block = 0; block < config.n_layers; ++block) AddLayer(config, block, &list);
  list.push_back(Norm("model.norm.weight", "output_norm.weight", config.dim));
  return list;
}

}  // namespace ridgeline
