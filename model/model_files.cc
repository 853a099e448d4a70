// SPDX-License-Identifier: Apache-2.0
#include "model/model_files.h"

#include <filesystem>

#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/gpt2_config.h"
#include "weights/gguf.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

// The only .gguf file of a folder; empty if there is none.
absl::StatusOr<std::string> FindGguf(const std::string& folder) {
  std::string found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".gguf") continue;
    if (!found.empty())
      return absl::InvalidArgumentError(fmt::format("{} holds several .gguf files: name one of them", folder));
    found = entry.path().string();
  }
  return found;
}

absl::StatusOr<ModelFiles> FromGguf(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<GgufFile> file, OpenGguf(path));
  ASSIGN_OR_RETURN(Gemma3Config config, Gemma3ConfigFromGguf(*file, path));
  return ModelFiles{path, std::move(config), WeightNaming::kGgufGemma3, std::move(file)};
}

absl::StatusOr<ModelFiles> FromHuggingFace(const std::string& folder) {
  const std::string config_path = (fs::path(folder) / "config.json").string();
  ASSIGN_OR_RETURN(std::string json, ReadFile(config_path));
  ModelFiles files{.path = folder};
  if (IsGpt2Config(json)) {
    ASSIGN_OR_RETURN(files.config, Gpt2ConfigFromJson(json, config_path));
    files.naming = WeightNaming::kHuggingFaceGpt2;
  } else {
    ASSIGN_OR_RETURN(files.config, Gemma3ConfigFromJson(json, config_path));
  }
  ASSIGN_OR_RETURN(files.weights, OpenSafetensors(folder));
  return files;
}

}  // namespace

absl::StatusOr<ModelFiles> OpenModelFiles(const std::string& path) {
  if (!fs::exists(path)) return absl::NotFoundError(fmt::format("no model at {}", path));
  if (!fs::is_directory(path)) return FromGguf(path);
  ASSIGN_OR_RETURN(std::string gguf, FindGguf(path));
  if (!gguf.empty()) return FromGguf(gguf);
  if (fs::exists(fs::path(path) / "config.json")) return FromHuggingFace(path);
  return absl::NotFoundError(
      fmt::format("{} holds no model: a .gguf file, or config.json with model.safetensors, is needed", path));
}

}  // namespace ridgeline
