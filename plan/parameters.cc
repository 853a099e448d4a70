// SPDX-License-Identifier: Apache-2.0
#include "plan/parameters.h"

#include <algorithm>

#include "fmt/format.h"

namespace ridgeline {
namespace {

class ParameterList {
 public:
  void Linear(const std::string& name, int64_t rows, int64_t columns) {
    list_.push_back({name, ParameterKind::kLinear, rows, columns});
  }
  void Embedding(const std::string& name, int64_t rows, int64_t columns) {
    list_.push_back({name, ParameterKind::kEmbedding, rows, columns});
  }
  void Vector(const std::string& name, int64_t size) { list_.push_back({name, ParameterKind::kVector, size}); }
  std::vector<ParameterShape> Take() { return std::move(list_); }

 private:
  std::vector<ParameterShape> list_;
};

void AddBlock(const GptConfig& config, const std::string& at, ParameterList* list) {
  const int64_t c = config.dim;
  auto norm = [&](const char* name) {
    list->Vector(fmt::format("{}{}.weight", at, name), c);
    list->Vector(fmt::format("{}{}.bias", at, name), c);
  };
  auto linear = [&](const char* name, int64_t rows, int64_t columns) {
    list->Linear(fmt::format("{}{}.weight", at, name), rows, columns);
    if (config.has_biases) list->Vector(fmt::format("{}{}.bias", at, name), rows);
  };
  norm("ln_1");
  linear("attn.qkv", 3 * c, c);
  linear("attn.proj", c, c);
  norm("ln_2");
  linear("mlp.fc", 4 * c, c);
  linear("mlp.proj", c, 4 * c);
}

std::vector<ParameterShape> ParametersOfGpt(const GptConfig& config) {
  ParameterList list;
  list.Embedding("wte.weight", config.vocab_size, config.dim);
  list.Embedding("wpe.weight", config.seq_len, config.dim);
  for (int64_t i = 0; i < config.n_layers; ++i) AddBlock(config, fmt::format("h.{}.", i), &list);
  list.Vector("ln_f.weight", config.dim);
  list.Vector("ln_f.bias", config.dim);
  return list.Take();
}

void AddLayer(const Gemma3Config& config, const std::string& at, ParameterList* list) {
  const int64_t c = config.dim, f = config.mlp_dim, d = config.head_dim;
  const int64_t query_width = config.n_heads * d, kv_width = config.n_kv_heads * d;
  list->Vector(at + "input_layernorm.weight", c);
  list->Linear(at + "self_attn.q_proj.weight", query_width, c);
  list->Linear(at + "self_attn.k_proj.weight", kv_width, c);
  list->Linear(at + "self_attn.v_proj.weight", kv_width, c);
  list->Linear(at + "self_attn.o_proj.weight", c, query_width);
  list->Vector(at + "self_attn.q_norm.weight", d);
  list->Vector(at + "self_attn.k_norm.weight", d);
  list->Vector(at + "post_attention_layernorm.weight", c);
  list->Vector(at + "pre_feedforward_layernorm.weight", c);
  list->Linear(at + "mlp.gate_proj.weight", f, c);
  list->Linear(at + "mlp.up_proj.weight", f, c);
  list->Linear(at + "mlp.down_proj.weight", c, f);
  list->Vector(at + "post_feedforward_layernorm.weight", c);
}

std::vector<ParameterShape> ParametersOfGemma3(const Gemma3Config& config) {
  ParameterList list;
  list.Embedding("model.embed_tokens.weight", config.vocab_size, config.dim);
  for (int64_t i = 0; i < config.n_layers; ++i) AddLayer(config, fmt::format("model.layers.{}.", i), &list);
  list.Vector("model.norm.weight", config.dim);
  return list.Take();
}

}  // namespace

std::vector<ParameterShape> ParametersOf(const ModelConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return ParametersOfGpt(*gpt);
  return ParametersOfGemma3(std::get<Gemma3Config>(config));
}

QuantizerSpec WeightQuantizerOf(const ParameterShape& parameter, const Quantizers& quantizers) {
  const bool is_meant = parameter.kind == ParameterKind::kLinear && !MatchesAny(quantizers.skip, parameter.name);
  return is_meant ? quantizers.weight : QuantizerSpec{};
}

ParameterCounts Count(const std::vector<ParameterShape>& parameters, const Quantizers& quantizers) {
  ParameterCounts counts;
  for (const ParameterShape& parameter : parameters) {
    const int64_t elements = parameter.elements();
    counts.total += elements;
    if (parameter.kind == ParameterKind::kEmbedding) counts.embeddings += elements;
    if (parameter.kind == ParameterKind::kLinear) counts.linears += elements;
    if (!WeightQuantizerOf(parameter, quantizers).enabled()) continue;
    counts.quantized += elements;
    counts.largest_quantized = std::max(counts.largest_quantized, elements);
  }
  return counts;
}

ModelCost CostOf(const std::vector<ParameterShape>& parameters, const Quantizers& quantizers) {
  std::vector<LinearCost> linears;
  int64_t other_elements = 0;
  for (const ParameterShape& parameter : parameters) {
    if (parameter.kind != ParameterKind::kLinear) {
      other_elements += parameter.elements();
      continue;
    }
    linears.push_back(
        {.name = parameter.name,
         .rows = parameter.rows,
         .columns = parameter.columns,
         .weight = WeightQuantizerOf(parameter, quantizers),
         .activation = MatchesAny(quantizers.skip, parameter.name) ? QuantizerSpec{} : quantizers.activation});
  }
  return CostOfModel(linears, other_elements, parameters.front().elements());
}

}  // namespace ridgeline
