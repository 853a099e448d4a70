// SPDX-License-Identifier: Apache-2.0
#include "worker/train/artifact_in_use.h"

#include "common/host.h"
#include "fmt/format.h"
#include "model/load_model.h"
#include "quant/autograd/torch_pch.h"
#include "worker/train/artifact.h"

namespace ridgeline {

absl::StatusOr<std::unique_ptr<LanguageModel>> OpenArtifact(const std::string& folder, const std::string& dtype) {
  auto model = LoadModelInUse(folder, dtype == "bfloat16" ? at::kBFloat16 : at::kFloat);
  if (absl::IsNotFound(model.status()))
    return absl::NotFoundError(
        fmt::format("{}: each rank runs the model that the job leaves: let all see the work folder",
                    std::string(model.status().message())));
  return model;
}

void SetFile(const v1::Artifact& artifact, v1::FrontierPoint* point) {
  const v1::Artifact::File* weights = WeightsOf(artifact);
  if (weights == nullptr) return;
  point->set_storage_bytes(static_cast<double>(weights->bytes()));
  point->set_artifact_sha256(weights->sha256());
}

void SetSpeed(const Speed& speed, v1::FrontierPoint* point) {
  point->set_prefill_tokens_per_second(speed.prefill_tokens_per_second);
  point->set_decode_tokens_per_second(speed.decode_tokens_per_second);
  point->set_cpu(CpuName());
  point->set_threads(at::get_num_threads());
}

}  // namespace ridgeline
