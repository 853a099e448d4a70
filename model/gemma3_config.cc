// SPDX-License-Identifier: Apache-2.0
#include "model/gemma3_config.h"

#include <cmath>
#include <optional>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

constexpr int64_t kGlobalEvery = 6;
// No size of a model that exists comes near; products of two of them stay far from overflow.
constexpr double kMaxSize = 1e7;

std::vector<bool> SlidingPattern(int64_t n_layers, int64_t global_every) {
  std::vector<bool> slides;
  for (int64_t i = 0; i < n_layers; ++i) slides.push_back((i + 1) % global_every != 0);
  return slides;
}

// Reads numbers of one JSON object; the first that is wrong is kept.
class JsonReader {
 public:
  JsonReader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {}

  const absl::Status& status() const { return status_; }

  void Size(const char* key, int64_t* value) {
    double number = static_cast<double>(*value);
    Number(key, &number);
    if (number != std::floor(number) || number < 1 || number > kMaxSize)
      return Fail(key, fmt::format("{} is not a size from 1 to {:.0f}", number, kMaxSize));
    *value = static_cast<int64_t>(number);
  }

  void Number(const char* key, double* value) {
    auto found = object_.find(key);
    if (found == object_.end() || found->is_null()) return;
    if (!found->is_number()) return Fail(key, "is not a number");
    *value = found->get<double>();
  }

  // The key must be absent, null, false, or hold `only`.
  void Only(const char* key, const Json& only) {
    auto found = object_.find(key);
    if (found == object_.end() || found->is_null() || *found == false || *found == only) return;
    Fail(key, fmt::format("is {}, which Ridgeline does not compute", found->dump()));
  }

  void Fail(const std::string& key, const std::string& what) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(fmt::format("{}: {}: {}", path_, key, what));
  }

  const Json& object() const { return object_; }

 private:
  const Json& object_;
  std::string path_;
  absl::Status status_;
};

// The rope scaling of an older config, or one layer type's rope parameters of a newer one.
void ReadRope(const Json& rope, JsonReader* reader, double* base, double* factor) {
  if (!rope.is_object()) return reader->Fail("rope_parameters", "is not an object");
  const std::string type =
      rope.contains("rope_type") && rope["rope_type"].is_string() ? rope["rope_type"].get<std::string>() : "default";
  if (type != "default" && type != "linear")
    return reader->Fail("rope_type", fmt::format("'{}' is not computed: default, linear", type));
  JsonReader values(rope, "rope");
  values.Number("rope_theta", base);
  if (type == "linear") values.Number("factor", factor);
  if (!values.status().ok()) reader->Fail("rope_parameters", std::string(values.status().message()));
}

void ReadPositions(JsonReader* reader, Gemma3Config* config) {
  const Json& object = reader->object();
  reader->Number("rope_theta", &config->rope_global_base);
  reader->Number("rope_local_base_freq", &config->rope_local_base);
  if (object.contains("rope_scaling") && !object["rope_scaling"].is_null())
    ReadRope(object["rope_scaling"], reader, &config->rope_global_base, &config->rope_global_factor);
  if (!object.contains("rope_parameters") || !object["rope_parameters"].is_object()) return;
  const Json& rope = object["rope_parameters"];
  double local_factor = 1;
  if (rope.contains("full_attention"))
    ReadRope(rope["full_attention"], reader, &config->rope_global_base, &config->rope_global_factor);
  if (rope.contains("sliding_attention"))
    ReadRope(rope["sliding_attention"], reader, &config->rope_local_base, &local_factor);
  if (local_factor != 1)
    reader->Fail("rope_parameters", "scales the sliding layers' positions, which Ridgeline does not compute");
}

void ReadLayerTypes(JsonReader* reader, Gemma3Config* config) {
  int64_t global_every = kGlobalEvery;
  reader->Size("sliding_window_pattern", &global_every);
  config->slides = SlidingPattern(config->n_layers, global_every);
  auto types = reader->object().find("layer_types");
  if (types == reader->object().end() || types->is_null()) return;
  if (!types->is_array() || types->size() != static_cast<size_t>(config->n_layers))
    return reader->Fail("layer_types", "is not a list with one entry a layer");
  for (size_t i = 0; i < types->size(); ++i) {
    const Json& type = (*types)[i];
    if (type != "sliding_attention" && type != "full_attention")
      return reader->Fail("layer_types",
                          fmt::format("{} is neither sliding_attention nor full_attention", type.dump()));
    config->slides[i] = type == "sliding_attention";
  }
}

}  // namespace

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
  config.slides = SlidingPattern(config.n_layers, kGlobalEvery);
  return config;
}

absl::StatusOr<Gemma3Config> Gemma3ConfigFromJson(std::string_view json, const std::string& path) {
  Json root = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) return absl::InvalidArgumentError(fmt::format("{}: not a JSON object", path));
  if (root.contains("text_config") && root["text_config"].is_object()) root = Json(root["text_config"]);
  const std::string type =
      root.contains("model_type") && root["model_type"].is_string() ? root["model_type"].get<std::string>() : "";
  if (type != "gemma3_text")
    return absl::InvalidArgumentError(fmt::format("{}: model_type '{}' is not gemma3_text", path, type));
  Gemma3Config config{.vocab_size = 262208,
                      .dim = 2304,
                      .n_layers = 26,
                      .mlp_dim = 9216,
                      .n_heads = 8,
                      .n_kv_heads = 4,
                      .head_dim = 256,
                      .max_length = 131072,
                      .sliding_window = 4096};  // transformers' defaults
  JsonReader reader(root, path);
  reader.Size("vocab_size", &config.vocab_size);
  reader.Size("hidden_size", &config.dim);
  reader.Size("num_hidden_layers", &config.n_layers);
  reader.Size("intermediate_size", &config.mlp_dim);
  reader.Size("num_attention_heads", &config.n_heads);
  reader.Size("num_key_value_heads", &config.n_kv_heads);
  reader.Size("head_dim", &config.head_dim);
  reader.Size("max_position_embeddings", &config.max_length);
  reader.Size("sliding_window", &config.sliding_window);
  reader.Number("query_pre_attn_scalar", &config.query_scale);
  reader.Number("rms_norm_eps", &config.norm_epsilon);
  reader.Number("initializer_range", &config.initializer_range);
  reader.Only("attention_bias", false);
  reader.Only("use_bidirectional_attention", false);
  reader.Only("attn_logit_softcapping", nullptr);
  reader.Only("final_logit_softcapping", nullptr);
  reader.Only("hidden_activation", "gelu_pytorch_tanh");
  reader.Only("tie_word_embeddings", true);
  if (root.contains("tie_word_embeddings") && root["tie_word_embeddings"] == false)
    reader.Fail("tie_word_embeddings", "is false, which Ridgeline does not compute");
  if (reader.status().ok()) ReadLayerTypes(&reader, &config);
  if (reader.status().ok()) ReadPositions(&reader, &config);
  RETURN_IF_ERROR(reader.status());
  RETURN_IF_ERROR(ValidateGemma3Config(config));
  return config;
}

absl::StatusOr<Gemma3Config> Gemma3ConfigFromGguf(const GgufFile& file, const std::string& path) {
  const std::optional<std::string_view> architecture = file.FindString("general.architecture");
  if (architecture != "gemma3")
    return absl::InvalidArgumentError(
        fmt::format("{}: architecture '{}' is not gemma3", path, architecture.value_or("")));
  Gemma3Config config;
  absl::Status status;
  auto size = [&](const char* key, int64_t* value) {
    const std::optional<uint64_t> found = file.FindUint(std::string("gemma3.") + key);
    if (status.ok() && (!found || *found < 1 || static_cast<double>(*found) > kMaxSize))
      status = absl::InvalidArgumentError(fmt::format("{}: gemma3.{} is missing or no size", path, key));
    *value = found ? static_cast<int64_t>(std::min<uint64_t>(*found, 1 << 30)) : 0;
  };
  size("embedding_length", &config.dim);
  size("block_count", &config.n_layers);
  size("feed_forward_length", &config.mlp_dim);
  size("attention.head_count", &config.n_heads);
  size("attention.head_count_kv", &config.n_kv_heads);
  size("attention.key_length", &config.head_dim);
  size("context_length", &config.max_length);
  size("attention.sliding_window", &config.sliding_window);
  RETURN_IF_ERROR(status);
  const TensorView* embedding = file.Find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2)
    return absl::InvalidArgumentError(fmt::format("{}: no matrix token_embd.weight", path));
  config.vocab_size = embedding->shape[0];
  config.rope_global_base = file.FindFloat("gemma3.rope.freq_base").value_or(config.rope_global_base);
  config.rope_local_base = file.FindFloat("gemma3.rope.freq_base_swa").value_or(config.rope_local_base);
  config.rope_global_factor = file.FindFloat("gemma3.rope.scaling.factor").value_or(1);
  config.norm_epsilon = file.FindFloat("gemma3.attention.layer_norm_rms_epsilon").value_or(config.norm_epsilon);
  config.query_scale = static_cast<double>(config.head_dim);  // The 27B alone has another, and is not trained here.
  config.slides = SlidingPattern(config.n_layers, kGlobalEvery);
  RETURN_IF_ERROR(ValidateGemma3Config(config));
  return config;
}

}  // namespace ridgeline
