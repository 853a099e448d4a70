// SPDX-License-Identifier: Apache-2.0
#include "model/model_files.h"

#include <filesystem>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/gemma3_config.h"
#include "model/gpt2_config.h"
#include "model/packed_description.h"
#include "model/stored_weights.h"
#include "weights/gguf.h"
#include "weights/json.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

// Everything that the file holds is used or harmless.
absl::StatusOr<ModelFiles> Checked(ModelFiles files) {
  auto in_file = [&](const absl::Status& status) {
    return absl::Status(status.code(), fmt::format("{}: {}", files.path, std::string(status.message())));
  };
  const absl::StatusOr<StoredWeights> weights = StoredWeights::Create(*files.weights, files.naming);
  if (!weights.ok()) return in_file(weights.status());
  const absl::Status checked = weights->Check(files.config, files.quantizers);
  if (!checked.ok()) return in_file(checked);
  return files;
}

absl::StatusOr<ModelFiles> FromGguf(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<GgufFile> file, OpenGguf(path));
  ASSIGN_OR_RETURN(Gemma3Config config, Gemma3ConfigFromGguf(*file, path));
  return Checked({path, std::move(config), WeightNaming::kGguf, std::move(file)});
}

absl::StatusOr<ModelFiles> FromHuggingFace(const std::string& folder) {
  const std::string config_path = (fs::path(folder) / "config.json").string();
  ASSIGN_OR_RETURN(nlohmann::json json, ReadJsonFile(config_path, kConfigJson));
  ModelFiles files{.path = folder};
  files.is_packed = IsPackedConfig(json);
  if (files.is_packed) {
    ASSIGN_OR_RETURN(files.quantizers, QuantizersFromConfig(json, config_path));
    json.erase(kQuantizationKey);
  }
  if (IsGpt2Config(json)) {
    ASSIGN_OR_RETURN(files.config, Gpt2ConfigFromJson(json, config_path));
  } else {
    ASSIGN_OR_RETURN(files.config, Gemma3ConfigFromJson(json, config_path));
  }
  ASSIGN_OR_RETURN(files.weights, OpenSafetensors(folder));
  if (const fs::path file = fs::path(folder) / "model.safetensors"; fs::exists(file)) files.path = file.string();
  if (files.is_packed) RETURN_IF_ERROR(CheckWrittenWith(files.quantizers, config_path, *files.weights, files.path));
  return Checked(std::move(files));
}

}  // namespace

absl::StatusOr<ModelFiles> OpenModelFiles(const std::string& path) {
  if (!fs::exists(path)) return absl::NotFoundError(fmt::format("no model at {}", path));
  if (!fs::is_directory(path)) return FromGguf(path);
  ASSIGN_OR_RETURN(std::string gguf, OnlyGgufIn(path));
  if (!gguf.empty()) return FromGguf(gguf);
  if (fs::exists(fs::path(path) / "config.json")) return FromHuggingFace(path);
  return absl::NotFoundError(
      fmt::format("{} holds no model: a .gguf file, or config.json with model.safetensors, is needed", path));
}

}  // namespace ridgeline
