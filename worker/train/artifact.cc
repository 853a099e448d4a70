// SPDX-License-Identifier: Apache-2.0
#include "worker/train/artifact.h"

#include <filesystem>
#include <map>

#include "common/artifact_files.h"
#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "data/dataset_format.h"
#include "data/load_tokenizer_from.h"
#include "data/tokenizer_files.h"
#include "fmt/format.h"
#include "model/save_model.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr char kModelArtifact[] = "model";
constexpr char kWeightsFile[] = "model.safetensors";
constexpr char kGgufFile[] = "model.gguf";

std::string ArtifactsOf(const std::string& job_id) { return fmt::format("jobs/{}/artifacts", job_id); }

std::string ModelArtifactPath(const std::string& job_id) {
  return fmt::format("{}/{}", ArtifactsOf(job_id), kModelArtifact);
}

// Whether the model's own tokenizer is the one that the dataset was cut with.
bool HasTokenizer(const std::string& model_path, const Tokenizer& tokenizer) {
  if (model_path.empty()) return false;
  const auto own = LoadTokenizerFrom(model_path);
  return own.ok() && (*own)->ToJson() == tokenizer.ToJson();
}

// A tokenizer without a file of its own is described by the dataset's description alone, which generate and eval read.
absl::StatusOr<std::map<std::string, std::string>> TokenizerFiles(const std::string& model_path, const Dataset& dataset,
                                                                  const std::string& dataset_path) {
  const Tokenizer& tokenizer = dataset.tokenizer();
  ASSIGN_OR_RETURN(auto files, TokenizerFilesOf(HasTokenizer(model_path, tokenizer) ? model_path : "", tokenizer));
  if (files.empty()) {
    ASSIGN_OR_RETURN(files[kDatasetFile], ReadFile((fs::path(dataset_path) / kDatasetFile).string()));
  }
  return files;
}

absl::Status SaveGgufFolder(const LanguageModel& model, const std::string& model_path, const fs::path& folder) {
  std::string source = model_path;
  if (fs::is_directory(source)) {
    ASSIGN_OR_RETURN(source, OnlyGgufIn(model_path));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<GgufFile> file, OpenGguf(source));
  ASSIGN_OR_RETURN(const PackedWeights codes, EncodeWeights(model));
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  RETURN_IF_ERROR(MakeDirectories(folder.string()));
  return SaveGgufWithCodes(model, Dtype::kBF16, codes, *file, (folder / kGgufFile).string()).status();
}

absl::Status SaveFolder(const LanguageModel& model, const std::string& weights, const std::string& model_path,
                        const Dataset& dataset, const std::string& dataset_path, const fs::path& folder) {
  if (weights == "gguf") return SaveGgufFolder(model, model_path, folder);
  ASSIGN_OR_RETURN(const auto files, TokenizerFiles(model_path, dataset, dataset_path));
  const SpecialTokens special = dataset.tokenizer().special_tokens();
  const TextBounds bounds{special.bos_id, special.eos_id};
  if (weights == "packed") return SavePacked(model, Dtype::kBF16, bounds, files, folder.string());
  return SaveHuggingFace(model, {.dtype = Dtype::kF32, .values = SavedValues::kQuantized}, bounds, files,
                         folder.string());
}

absl::StatusOr<v1::Artifact> Describe(const std::string& work_dir, const std::string& path) {
  v1::Artifact artifact;
  artifact.set_name(kModelArtifact);
  artifact.set_path(path);
  artifact.set_work_dir(work_dir);
  std::map<std::string, std::string> sha256_of;
  const fs::path folder = fs::path(work_dir) / path;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    ASSIGN_OR_RETURN(sha256_of[name], Sha256HexOfFile(entry.path().string()));
  }
  for (const auto& [name, sha256] : sha256_of) {
    v1::Artifact::File* file = artifact.add_files();
    file->set_name(name);
    file->set_sha256(sha256);
    file->set_bytes(static_cast<int64_t>(fs::file_size(folder / name)));
    artifact.set_bytes(artifact.bytes() + file->bytes());
  }
  artifact.set_sha256(Sha256OfFiles(sha256_of));
  return artifact;
}

}  // namespace

bool KeepsCodes(const std::string& weights) { return weights == "packed" || weights == "gguf"; }

absl::StatusOr<v1::Artifact> WriteModelArtifact(LanguageModel* model, const std::string& weights,
                                                const std::string& model_path, const Dataset& dataset,
                                                const std::string& dataset_path, const std::string& work_dir,
                                                const std::string& job_id) {
  const fs::path folder = ModelArtifactFolder(work_dir, job_id);
  RETURN_IF_ERROR(MakeDirectories(folder.parent_path().string()));
  model->SetHardRounding(true);  // Estimators that train with noise have none in what they leave.
  const absl::Status saved = SaveFolder(*model, weights, model_path, dataset, dataset_path, folder);
  model->SetHardRounding(false);
  RETURN_IF_ERROR(saved);
  return Describe(work_dir, ModelArtifactPath(job_id));
}

void RoundToBfloat16(LanguageModel* model) {
  at::NoGradGuard no_grad;
  for (Parameter& parameter : model->parameters())
    if (!parameter.quantizer.spec.quantizes() && !parameter.of_quantizer)
      parameter.master.copy_(parameter.master.to(at::kBFloat16));
  model->RefreshCompute();
}

std::string ModelArtifactFolder(const std::string& work_dir, const std::string& job_id) {
  return (fs::path(work_dir) / ModelArtifactPath(job_id)).string();
}

const v1::Artifact::File* WeightsOf(const v1::Artifact& artifact) {
  for (const v1::Artifact::File& file : artifact.files())
    if (file.name() == kWeightsFile || file.name() == kGgufFile) return &file;
  return nullptr;
}

void RemoveArtifacts(const std::string& work_dir, const std::string& job_id) {
  std::error_code ignored;
  fs::remove_all(fs::path(work_dir) / ArtifactsOf(job_id), ignored);
}

}  // namespace ridgeline
