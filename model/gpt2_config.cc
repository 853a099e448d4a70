// SPDX-License-Identifier: Apache-2.0
#include "model/gpt2_config.h"

#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxSize = 10'000'000;

}  // namespace

bool IsGpt2Config(std::string_view json) {
  const Json root = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  return root.is_object() && root.contains("model_type") && root["model_type"] == "gpt2";
}

absl::StatusOr<GptConfig> Gpt2ConfigFromJson(std::string_view json, const std::string& path) {
  const Json root = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  absl::Status status;
  auto fail = [&](const char* key, const std::string& what) {
    if (status.ok()) status = absl::InvalidArgumentError(fmt::format("{}: {}: {}", path, key, what));
  };
  if (!root.is_object()) return absl::InvalidArgumentError(fmt::format("{}: not a JSON object", path));
  GptConfig config = GptShape("gpt2").value();  // transformers' defaults
  auto size = [&](const char* key, int64_t* value) {
    auto found = root.find(key);
    if (found == root.end()) return;
    if (!found->is_number_unsigned() || found->get<uint64_t>() < 1 || found->get<uint64_t>() > kMaxSize)
      return fail(key, fmt::format("{} is not a size from 1 to {}", found->dump(), kMaxSize));
    *value = found->get<int64_t>();
  };
  size("n_layer", &config.n_layers);
  size("n_embd", &config.dim);
  size("n_head", &config.n_heads);
  size("vocab_size", &config.vocab_size);
  size("n_positions", &config.seq_len);
  auto only = [&](const char* key, const Json& value) {
    auto found = root.find(key);
    if (found != root.end() && !found->is_null() && *found != value)
      fail(key, fmt::format("is {}, which Ridgeline does not compute: {}", found->dump(), value.dump()));
  };
  if (root.contains("activation_function") && root["activation_function"] == "gelu")
    config.gelu_tanh = false;
  else
    only("activation_function", "gelu_new");
  only("scale_attn_by_inverse_layer_idx", false);
  only("scale_attn_weights", true);
  only("add_cross_attention", false);
  only("tie_word_embeddings", true);
  only("layer_norm_epsilon", 1e-5);
  if (auto inner = root.find("n_inner"); inner != root.end() && !inner->is_null() && *inner != 4 * config.dim)
    fail("n_inner", fmt::format("is {}, which Ridgeline does not compute: 4 n_embd", inner->dump()));
  if (!status.ok()) return status;
  return config;
}

}  // namespace ridgeline
