// SPDX-License-Identifier: Apache-2.0
#include "inference/loaded_model.h"

#include <filesystem>

#include "common/file.h"
#include "common/status_macros.h"
#include "data/dataset_format.h"
#include "data/load_tokenizer_from.h"
#include "fmt/format.h"
#include "model/load_model.h"
#include "quant/autograd/torch_pch.h"
#include "weights/model_store.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

// A job's model keeps its dataset's description, which says what the tokenizer is where no other file does.
absl::StatusOr<std::unique_ptr<Tokenizer>> FromDataset(const fs::path& folder) {
  ASSIGN_OR_RETURN(const std::string json, ReadFile((folder / kDatasetFile).string()));
  ASSIGN_OR_RETURN(DatasetManifest manifest, ParseDatasetManifest(json, [&](const std::string& name) {
                     return ReadFile((folder / name).string());
                   }));
  return std::move(manifest.tokenizer);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LanguageModel>> LoadForInference(const std::string& name_or_path,
                                                                const std::string& dtype) {
  ASSIGN_OR_RETURN(const std::string path, ResolveModelPath(name_or_path));
  const ModelOptions options{.compute_dtype = dtype == "bfloat16" ? at::kBFloat16 : at::kFloat};
  ASSIGN_OR_RETURN(std::unique_ptr<LanguageModel> model, LoadModel(path, options));
  for (Parameter& parameter : model->parameters())
    if (!parameter.computes_with_master()) parameter.master.reset();  // Nothing computes with it.
  return model;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizerOf(const std::string& name_or_path, const std::string& path) {
  std::string place = path;
  if (place.empty()) {
    ASSIGN_OR_RETURN(place, ResolveModelPath(name_or_path));
  }
  std::error_code ignored;
  if (fs::exists(fs::path(place) / kDatasetFile, ignored)) return FromDataset(place);
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizerFrom(place);
  if (absl::IsNotFound(tokenizer.status()))
    return absl::NotFoundError(fmt::format("{}; name it with --tokenizer", std::string(tokenizer.status().message())));
  return tokenizer;
}

}  // namespace ridgeline
