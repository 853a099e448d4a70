// SPDX-License-Identifier: Apache-2.0
#include "weights/stored_model.h"

#include <array>
#include <filesystem>
#include <limits>
#include <optional>
#include <string_view>

#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "weights/gguf.h"
#include "weights/json.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

// What a size is called here, in GGUF metadata (after the architecture), and in config.json: by most, and by GPT-2.
struct SizeName {
  const char *name, *gguf, *hugging_face, *gpt2;
};
constexpr std::array<SizeName, 8> kSizes = {{
    {"layers", "block_count", "num_hidden_layers", "n_layer"},
    {"width", "embedding_length", "hidden_size", "n_embd"},
    {"mlp_width", "feed_forward_length", "intermediate_size", "n_inner"},
    {"heads", "attention.head_count", "num_attention_heads", "n_head"},
    {"kv_heads", "attention.head_count_kv", "num_key_value_heads", ""},
    {"head_width", "attention.key_length", "head_dim", ""},
    {"context", "context_length", "max_position_embeddings", "n_positions"},
    {"sliding_window", "attention.sliding_window", "sliding_window", ""},
}};

void CountTensors(StoredModel* model) {
  for (const TensorView& tensor : model->weights->tensors()) {
    if (model->packed.empty()) model->parameters += ElementsOfShape(tensor.shape).value_or(0);
    model->bytes += tensor.bytes.size();
  }
}

absl::StatusOr<StoredModel> FromGguf(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<GgufFile> file, OpenGguf(path));
  StoredModel model{.format = "gguf",
                    .architecture = std::string(file->FindString("general.architecture").value_or(""))};
  for (const SizeName& size : kSizes) {
    const std::optional<uint64_t> value = file->FindUint(fmt::format("{}.{}", model.architecture, size.gguf));
    if (value && *value <= std::numeric_limits<int64_t>::max())
      model.shape.emplace_back(size.name, static_cast<int64_t>(*value));
  }
  const TensorView* embedding = file->Find("token_embd.weight");
  if (embedding != nullptr && embedding->shape.size() == 2) model.vocab_size = embedding->shape[0];
  model.weights = std::move(file);
  CountTensors(&model);
  return model;
}

std::optional<int64_t> SizeIn(const nlohmann::json& config, const char* key) {
  auto found = config.find(key);
  if (found == config.end() || !found->is_number_unsigned()) return std::nullopt;
  const uint64_t value = found->get<uint64_t>();
  return value <= std::numeric_limits<int64_t>::max() ? std::optional(static_cast<int64_t>(value)) : std::nullopt;
}

// "int1 1:4", "int2 with int8 scales", or what a packed model has that is not quantized.
std::string PackedText(const nlohmann::json& quantization, const char* key) {
  const auto text = [](const nlohmann::json& object, const char* name) {
    return object.contains(name) && object[name].is_string() ? object[name].get<std::string>() : std::string();
  };
  if (!quantization.contains(key) || !quantization[key].is_object()) return "as it is";
  std::string said = text(quantization[key], "format");
  if (const std::string sparsity = text(quantization[key], "sparsity"); !sparsity.empty()) said += " " + sparsity;
  if (const std::string scales = text(quantization[key], "scales"); !scales.empty())
    said += " with " + scales + " scales";
  return said;
}

// docs/formats.md#packed-models
std::string DescribePacked(const nlohmann::json& config) {
  const auto quantization = config.find("quantization_config");
  if (quantization == config.end() || !quantization->is_object()) return "";
  if (quantization->value("quant_method", nlohmann::json()) != nlohmann::json("ridgeline")) return "";
  return fmt::format("weights {}, inputs {}, embedding {}", PackedText(*quantization, "weight"),
                     PackedText(*quantization, "activation"), PackedText(*quantization, "embedding"));
}

absl::Status ReadConfig(const fs::path& path, StoredModel* model) {
  ASSIGN_OR_RETURN(const nlohmann::json root, ReadJsonFile(path.string(), kConfigJson));
  if (auto type = root.find("model_type"); type != root.end() && type->is_string()) model->architecture = *type;
  // A model that also sees keeps its language model's sizes apart.
  const auto inner = root.find("text_config");
  const nlohmann::json& config = inner != root.end() && inner->is_object() ? *inner : root;
  for (const SizeName& size : kSizes) {
    std::optional<int64_t> value = SizeIn(config, size.hugging_face);
    if (!value) value = SizeIn(config, size.gpt2);
    if (value) model->shape.emplace_back(size.name, *value);
  }
  model->vocab_size = SizeIn(config, "vocab_size").value_or(0);
  model->packed = DescribePacked(root);
  return absl::OkStatus();
}

absl::StatusOr<StoredModel> FromSafetensors(const std::string& path, const fs::path& folder) {
  StoredModel model{.format = "safetensors"};
  ASSIGN_OR_RETURN(model.weights, OpenSafetensors(path));
  std::error_code ignored;
  if (fs::exists(folder / "config.json", ignored)) RETURN_IF_ERROR(ReadConfig(folder / "config.json", &model));
  CountTensors(&model);
  return model;
}

bool HoldsSafetensors(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "model.safetensors", ignored) ||
         fs::exists(folder / "model.safetensors.index.json", ignored);
}

absl::StatusOr<StoredModel> FromFolder(const fs::path& folder) {
  ASSIGN_OR_RETURN(const std::string gguf, OnlyGgufIn(folder.string()));
  if (!gguf.empty()) return FromGguf(gguf);
  if (HoldsSafetensors(folder)) return FromSafetensors(folder.string(), folder);
  return absl::NotFoundError(fmt::format(
      "{} holds no model: a .gguf file, model.safetensors or model.safetensors.index.json is needed", folder.string()));
}

}  // namespace

absl::StatusOr<StoredModel> OpenStoredModel(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return absl::NotFoundError(fmt::format("there is no model at '{}'", path));
  if (fs::is_directory(path, error)) return FromFolder(path);
  const bool is_safetensors = path.ends_with(".safetensors") || path.ends_with(".safetensors.index.json");
  return is_safetensors ? FromSafetensors(path, fs::path(path).parent_path()) : FromGguf(path);
}

}  // namespace ridgeline
