// SPDX-License-Identifier: Apache-2.0
#include "model/load_model.h"

#include <filesystem>
#include <functional>

#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/gemma3.h"
#include "model/gpt.h"
#include "model/gpt2_config.h"
#include "model/weight_names.h"
#include "model/weight_tensor.h"
#include "nlohmann/json.hpp"
#include "quant/autograd/torch_pch.h"
#include "weights/gguf.h"
#include "weights/weight_file.h"

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

// Fills every master from the file.
absl::Status LoadMasters(const WeightFile& file, const std::string& path, WeightNaming naming, LanguageModel* model) {
  for (Parameter& parameter : model->parameters()) {
    const StoredWeight stored = FindStoredWeight(file, naming, parameter.name);
    if (stored.view == nullptr)
      return absl::InvalidArgumentError(fmt::format("{}: no tensor for '{}' ({} tensors are there)", path, parameter.name,
                                                    file.tensors().size()));
    at::IntArrayRef wanted = parameter.master.sizes();
    std::vector<int64_t> shape = stored.view->shape;
    if (stored.is_transposed) std::reverse(shape.begin(), shape.end());
    if (at::IntArrayRef(shape) != wanted)
      return absl::InvalidArgumentError(fmt::format("{}: tensor '{}' has the shape [{}], the model needs [{}]", path,
                                                    stored.view->name, fmt::join(shape, ", "), fmt::join(wanted, ", ")));
    ASSIGN_OR_RETURN(at::Tensor tensor, ToTensor(*stored.view, at::kFloat));
    at::NoGradGuard no_grad;
    parameter.master.copy_(stored.is_transposed ? tensor.t() : tensor);
    if (stored.subtract_one) parameter.master.sub_(1);
  }
  model->RefreshCompute();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<LanguageModel>> LoadGguf(const std::string& path, const ModelOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<GgufFile> file, OpenGguf(path));
  ASSIGN_OR_RETURN(Gemma3Config config, Gemma3ConfigFromGguf(*file, path));
  ASSIGN_OR_RETURN(std::unique_ptr<LanguageModel> model, Gemma3::Create(config, options, std::nullopt));
  RETURN_IF_ERROR(LoadMasters(*file, path, WeightNaming::kGgufGemma3, model.get()));
  return model;
}

absl::StatusOr<std::unique_ptr<LanguageModel>> LoadHuggingFace(const std::string& folder, const ModelOptions& options) {
  const std::string config_path = (fs::path(folder) / "config.json").string();
  ASSIGN_OR_RETURN(std::string json, ReadFile(config_path));
  ASSIGN_OR_RETURN(std::unique_ptr<WeightFile> file, OpenSafetensors(folder));
  std::unique_ptr<LanguageModel> model;
  WeightNaming naming = WeightNaming::kHuggingFace;
  if (IsGpt2Config(json)) {
    ASSIGN_OR_RETURN(GptConfig config, Gpt2ConfigFromJson(json, config_path));
    ASSIGN_OR_RETURN(model, Gpt::Create(config, options, std::nullopt));
    naming = WeightNaming::kHuggingFaceGpt2;
  } else {
    ASSIGN_OR_RETURN(Gemma3Config config, Gemma3ConfigFromJson(json, config_path));
    ASSIGN_OR_RETURN(model, Gemma3::Create(config, options, std::nullopt));
  }
  RETURN_IF_ERROR(LoadMasters(*file, folder, naming, model.get()));
  return model;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LanguageModel>> LoadModel(const std::string& path, const ModelOptions& options) {
  if (!fs::exists(path)) return absl::NotFoundError(fmt::format("no model at {}", path));
  if (!fs::is_directory(path)) return LoadGguf(path, options);
  ASSIGN_OR_RETURN(std::string gguf, FindGguf(path));
  if (!gguf.empty()) return LoadGguf(gguf, options);
  if (fs::exists(fs::path(path) / "config.json")) return LoadHuggingFace(path, options);
  return absl::NotFoundError(
      fmt::format("{} holds no model: a .gguf file, or config.json with model.safetensors, is needed", path));
}

}  // namespace ridgeline
