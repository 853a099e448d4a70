// SPDX-License-Identifier: Apache-2.0
#include "model/gemma3_config.h"

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/config_reader.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

Gemma3Config TransformersDefaults() {
  return {.vocab_size = 262208,
          .dim = 2304,
          .n_layers = 26,
          .mlp_dim = 9216,
          .n_heads = 8,
          .n_kv_heads = 4,
          .head_dim = 256,
          .max_length = 131072,
          .sliding_window = 4096};
}

// One description of positions: an older file's rope_scaling, or one layer type's rope_parameters. Linear scaling
// divides positions by its factor; other kinds are not computed.
void ReadRope(const Json& rope, const char* key, ConfigReader* outer, double* base, double* factor) {
  if (!rope.is_object()) return outer->Fail(key, "is not an object");
  ConfigReader reader(rope, "", "");
  const std::string type = reader.Text("rope_type"), older = reader.Text("type");
  if (!type.empty() && !older.empty() && type != older)
    return outer->Fail(key, fmt::format("says both rope_type '{}' and type '{}'", type, older));
  const std::string kind = !type.empty() ? type : !older.empty() ? older : "default";
  if (kind != "default" && kind != "linear")
    return outer->Fail(key, fmt::format("scaling of kind '{}' is not computed: default, linear", kind));
  double stated = 1;
  reader.Number("rope_theta", base);
  reader.Number("factor", &stated);
  reader.Only("partial_rotary_factor", {1});
  reader.Allow({"original_max_position_embeddings"});  // Linear scaling does not ask for it.
  if (kind == "default" && stated != 1) reader.Fail("factor", "is there, but rope_type does not say 'linear'");
  if (kind == "linear") *factor = stated;
  if (kind == "linear" && rope.find("factor") == rope.end()) reader.Fail("factor", "is missing");
  const absl::Status status = reader.Finish({});
  if (!status.ok()) outer->Fail(key, std::string(status.message().substr(2)));  // Without the path that it lacks.
}

// rope_parameters by layer type, as transformers writes them since 5.0.
void ReadRopeParameters(const Json& rope, ConfigReader* outer, Gemma3Config* config) {
  if (!rope.is_object()) return outer->Fail("rope_parameters", "is not an object");
  ConfigReader reader(rope, "", "");
  double local_factor = 1;
  if (const Json* global = reader.Find("full_attention"))
    ReadRope(*global, "rope_parameters.full_attention", outer, &config->rope_global_base, &config->rope_global_factor);
  if (const Json* local = reader.Find("sliding_attention"))
    ReadRope(*local, "rope_parameters.sliding_attention", outer, &config->rope_local_base, &local_factor);
  if (local_factor != 1)
    outer->Fail("rope_parameters", "scales the sliding layers' positions, which Ridgeline does not compute");
  if (!reader.Finish({}).ok())
    outer->Fail("rope_parameters",
                "does not say for which layers it holds: Gemma 3 has two kinds, so write it as {\"full_attention\": "
                "{...}, \"sliding_attention\": {...}}");
}

void ReadPositions(ConfigReader* reader, Gemma3Config* config) {
  reader->Number("rope_theta", &config->rope_global_base);
  reader->Number("rope_local_base_freq", &config->rope_local_base);
  const Json* scaling = reader->Find("rope_scaling");
  const Json* parameters = reader->Find("rope_parameters");
  if (parameters != nullptr) ReadRopeParameters(*parameters, reader, config);
  if (scaling == nullptr) return;
  const double by_parameters = config->rope_global_factor;
  ReadRope(*scaling, "rope_scaling", reader, &config->rope_global_base, &config->rope_global_factor);
  if (parameters != nullptr && config->rope_global_factor != by_parameters)
    reader->Fail("rope_scaling", "says another factor than rope_parameters");
}

void ReadLayerTypes(ConfigReader* reader, Gemma3Config* config) {
  int64_t global_every = kGemma3GlobalEvery, private_every = 0;
  reader->Size("sliding_window_pattern", &global_every);
  reader->Size("_sliding_window_pattern", &private_every);
  config->slides = SlidingPattern(config->n_layers, global_every);
  const Json* types = reader->Find("layer_types");
  if (types == nullptr) {
    if (private_every != 0 && private_every != global_every)
      reader->Fail(
          "_sliding_window_pattern",
          fmt::format("is {}, but there are no layer_types, and {} holds without them", private_every, global_every));
    return;
  }
  if (!types->is_array() || types->size() != static_cast<size_t>(config->n_layers))
    return reader->Fail("layer_types", "is not a list with one entry a layer");
  for (size_t i = 0; i < types->size(); ++i) {
    const Json& type = (*types)[i];
    const std::string name = type.is_string() ? type.get<std::string>() : "";
    if (name != "sliding_attention" && name != "full_attention")
      return reader->Fail("layer_types",
                          fmt::format("{} is neither sliding_attention nor full_attention", type.dump(-1, ' ', true)));
    config->slides[i] = name == "sliding_attention";
  }
}

void ReadSizes(ConfigReader* reader, Gemma3Config* config) {
  reader->Size("vocab_size", &config->vocab_size);
  reader->Size("hidden_size", &config->dim);
  reader->Size("num_hidden_layers", &config->n_layers);
  reader->Size("intermediate_size", &config->mlp_dim);
  reader->Size("num_attention_heads", &config->n_heads);
  reader->Size("num_key_value_heads", &config->n_kv_heads);
  reader->Size("head_dim", &config->head_dim);
  reader->Size("max_position_embeddings", &config->max_length);
  reader->Size("sliding_window", &config->sliding_window);
  reader->Number("query_pre_attn_scalar", &config->query_scale);
  reader->Number("rms_norm_eps", &config->norm_epsilon);
  reader->Number("initializer_range", &config->initializer_range);
}

// Features of the family and its relatives that are not computed.
void RefuseOtherFeatures(ConfigReader* reader) {
  reader->Architectures({"Gemma3ForCausalLM", "Gemma3TextModel", "Gemma3Model", "Gemma3ForConditionalGeneration"});
  reader->Only("attention_bias", {false});
  reader->Only("mlp_bias", {false});
  reader->Only("use_bidirectional_attention", {false});
  reader->Only("attn_logit_softcapping", {});
  reader->Only("final_logit_softcapping", {});
  for (const char* key : {"hidden_activation", "hidden_act"}) reader->Only(key, {"gelu_pytorch_tanh", "gelu_new"});
  reader->Only("tie_word_embeddings", {true});
  reader->RefuseOtherShapes();
}

// The description of a model that also sees: its text_config is read as a model of its own.
absl::Status CheckOuterConfig(const Json& root, const std::string& path) {
  ConfigReader reader(root, path);
  reader.Allow({"model_type", "text_config", "vision_config", "mm_tokens_per_image", "boi_token_id", "boi_token_index",
                "eoi_token_id", "eoi_token_index", "image_token_id", "image_token_index"});
  reader.Architectures({"Gemma3ForConditionalGeneration", "Gemma3Model", "Gemma3ForCausalLM"});
  reader.Only("tie_word_embeddings", {true});
  reader.Only("is_encoder_decoder", {false});
  return reader.Finish();
}

absl::StatusOr<Gemma3Config> ReadTextConfig(const Json& root, const std::string& path, const std::string& inside) {
  ConfigReader reader(root, path, inside);
  const std::string type = reader.Text("model_type");
  if (type != "gemma3_text")
    return absl::InvalidArgumentError(
        fmt::format("{}: {}model_type '{}' is not one that Ridgeline computes: gemma3_text, gpt2", path, inside, type));
  Gemma3Config config = TransformersDefaults();
  ReadSizes(&reader, &config);
  RefuseOtherFeatures(&reader);
  if (reader.ok()) ReadLayerTypes(&reader, &config);
  if (reader.ok()) ReadPositions(&reader, &config);
  RETURN_IF_ERROR(reader.Finish());
  const absl::Status valid = ValidateGemma3Config(config);
  if (!valid.ok()) return absl::InvalidArgumentError(fmt::format("{}: {}", path, std::string(valid.message())));
  return config;
}

}  // namespace

absl::StatusOr<Gemma3Config> Gemma3ConfigFromJson(const Json& root, const std::string& path) {
  const auto inner = root.find("text_config");
  if (inner == root.end() || !inner->is_object()) return ReadTextConfig(root, path, "");
  RETURN_IF_ERROR(CheckOuterConfig(root, path));
  return ReadTextConfig(*inner, path, "text_config.");
}

}  // namespace ridgeline
