// SPDX-License-Identifier: Apache-2.0
#include "model/gpt2_config.h"

#include "common/status_macros.h"
#include "model/config_reader.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

void RefuseOtherFeatures(ConfigReader* reader, const GptConfig& config) {
  reader->Architectures({"GPT2LMHeadModel", "GPT2Model"});
  reader->Only("layer_norm_epsilon", {1e-5});
  reader->Only("n_inner", {4 * config.dim});
  reader->Only("scale_attn_by_inverse_layer_idx", {false});
  reader->Only("scale_attn_weights", {true});
  reader->Only("tie_word_embeddings", {true});
  reader->RefuseOtherShapes();
  reader->Only("reorder_and_upcast_attn", {true, false});  // The same numbers, in another order.
}

}  // namespace

bool IsGpt2Config(const Json& root) {
  const auto type = root.find("model_type");
  return type != root.end() && *type == "gpt2";
}

absl::StatusOr<GptConfig> Gpt2ConfigFromJson(const Json& root, const std::string& path) {
  ConfigReader reader(root, path);
  reader.Allow({"model_type", "n_ctx"});        // n_positions is what counts.
  GptConfig config = GptShape("gpt2").value();  // transformers' defaults
  reader.Size("n_layer", "num_hidden_layers", &config.n_layers);
  reader.Size("n_embd", "hidden_size", &config.dim);
  reader.Size("n_head", "num_attention_heads", &config.n_heads);
  reader.Size("n_positions", "max_position_embeddings", &config.seq_len);
  reader.Size("vocab_size", &config.vocab_size);
  reader.Only("activation_function", {"gelu_new", "gelu_pytorch_tanh", "gelu"});
  config.gelu_tanh = reader.Text("activation_function") != "gelu";
  if (const Json* has_biases = reader.Find(kLinearBiasKey)) {
    if (has_biases->is_boolean())
      config.has_biases = has_biases->get<bool>();
    else
      reader.Fail(kLinearBiasKey, "is neither true nor false");
  }
  RefuseOtherFeatures(&reader, config);
  RETURN_IF_ERROR(reader.Finish());
  return config;
}

}  // namespace ridgeline
