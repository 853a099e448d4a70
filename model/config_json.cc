// SPDX-License-Identifier: Apache-2.0
#include "model/config_json.h"

#include <cmath>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/gemma3.h"
#include "model/gpt.h"
#include "model/gpt2_config.h"
#include "model/packed_description.h"
#include "nlohmann/json.hpp"

namespace ridgeline {
namespace {

using Json = nlohmann::ordered_json;

Json IdOrNull(std::optional<uint32_t> id) { return id ? Json(*id) : Json(nullptr); }

// transformers takes 256 there, not 256.0.
Json WholeIfIntegral(double value) {
  return value == std::floor(value) ? Json(static_cast<int64_t>(value)) : Json(value);
}

const char* TorchName(Dtype dtype) {
  if (dtype == Dtype::kF16) return "float16";
  return dtype == Dtype::kBF16 ? "bfloat16" : "float32";
}

// Rotary bases are spelled as in the published models' files: every release of transformers reads that.
Json Gemma3Json(const Gemma3Config& config) {
  Json layer_types = Json::array();
  for (bool slides : config.slides) layer_types.push_back(slides ? "sliding_attention" : "full_attention");
  Json scaling = nullptr;
  if (config.rope_global_factor != 1) scaling = {{"rope_type", "linear"}, {"factor", config.rope_global_factor}};
  return {{"architectures", {"Gemma3ForCausalLM"}},
          {"model_type", "gemma3_text"},
          {"vocab_size", config.vocab_size},
          {"hidden_size", config.dim},
          {"intermediate_size", config.mlp_dim},
          {"num_hidden_layers", config.n_layers},
          {"num_attention_heads", config.n_heads},
          {"num_key_value_heads", config.n_kv_heads},
          {"head_dim", config.head_dim},
          {"max_position_embeddings", config.max_length},
          {"sliding_window", config.sliding_window},
          {"layer_types", layer_types},
          {"rope_theta", config.rope_global_base},
          {"rope_local_base_freq", config.rope_local_base},
          {"rope_scaling", scaling},
          {"query_pre_attn_scalar", WholeIfIntegral(config.query_scale)},
          {"rms_norm_eps", config.norm_epsilon},
          {"initializer_range", config.initializer_range},
          {"hidden_activation", "gelu_pytorch_tanh"},
          {"attention_bias", false},
          {"attn_logit_softcapping", nullptr},
          {"final_logit_softcapping", nullptr},
          {"tie_word_embeddings", true}};
}

Json Gpt2Json(const GptConfig& config) {
  return {{"architectures", {"GPT2LMHeadModel"}}, {"model_type", "gpt2"},
          {"vocab_size", config.vocab_size},      {"n_embd", config.dim},
          {"n_layer", config.n_layers},           {"n_head", config.n_heads},
          {"n_positions", config.seq_len},        {"activation_function", config.gelu_tanh ? "gelu_new" : "gelu"},
          {"layer_norm_epsilon", 1e-5},           {"tie_word_embeddings", true}};
}

absl::StatusOr<Json> ConfigOf(const LanguageModel& model, Dtype dtype, const TextBounds& bounds) {
  Json json;
  if (const auto* gemma = dynamic_cast<const Gemma3*>(&model))
    json = Gemma3Json(gemma->config());
  else if (const auto* gpt = dynamic_cast<const Gpt*>(&model))
    json = Gpt2Json(gpt->config());
  else
    return absl::UnimplementedError(fmt::format("no config.json describes this network ({})", model.Summary()));
  json["torch_dtype"] = TorchName(dtype);
  json["bos_token_id"] = IdOrNull(bounds.bos_id);
  json["eos_token_id"] = IdOrNull(bounds.eos_id);
  return json;
}

}  // namespace

absl::StatusOr<std::string> HuggingFaceConfigOf(const LanguageModel& model, Dtype dtype, const TextBounds& bounds) {
  ASSIGN_OR_RETURN(const Json json, ConfigOf(model, dtype, bounds));
  return json.dump(2) + "\n";
}

absl::StatusOr<std::string> PackedConfigOf(const LanguageModel& model, Dtype dtype, const TextBounds& bounds) {
  ASSIGN_OR_RETURN(Json json, ConfigOf(model, dtype, bounds));
  json[kQuantizationKey] = DescribeQuantizers(QuantizersOf(model.options()));
  if (const auto* gpt = dynamic_cast<const Gpt*>(&model)) json[kLinearBiasKey] = gpt->config().has_biases;
  return json.dump(2) + "\n";
}

}  // namespace ridgeline
