// SPDX-License-Identifier: Apache-2.0
#include "worker/train/artifact_in_use.h"

#include "common/host.h"
#include "common/status_macros.h"
#include "energy/model.h"
#include "energy/source.h"
#include "energy/window.h"
#include "fmt/format.h"
#include "model/load_model.h"
#include "quant/autograd/torch_pch.h"
#include "worker/train/artifact.h"

namespace ridgeline {
namespace {

absl::Status SetModelled(const DecodeWork& work, v1::FrontierPoint* point) {
  ASSIGN_OR_RETURN(const ModelledEnergy energy, ModelEnergy({.integer_products = work.integer_products,
                                                             .float_products = work.float_products,
                                                             .dram_bytes = work.weight_bytes + work.cache_bytes}));
  point->set_energy_source(std::string(kModelledSource));
  point->set_energy_joules_per_token(energy.joules);
  point->set_energy_low_joules_per_token(energy.low);
  point->set_energy_high_joules_per_token(energy.high);
  return absl::OkStatus();
}

absl::Status SetCounted(EnergyCounter* counter, LanguageModel* model, const Speed& speed,
                        const std::function<bool()>& cancelled, v1::FrontierPoint* point) {
  const std::function<void()> new_tokens = NewTokensAfterPrompt(model, speed);
  const auto work = [&] {
    new_tokens();
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const EnergyWindow window, MeasureEnergy(counter, work, {}, {.cancelled = cancelled}));
  const auto tokens = static_cast<double>(window.repetitions * speed.new_tokens);
  point->set_energy_source(window.source);
  point->set_energy_joules_per_token(window.gross_joules / tokens);
  // A machine that was busier at rest says nothing about it.
  if (window.above_idle_joules > 0) point->set_energy_above_idle_joules_per_token(window.above_idle_joules / tokens);
  return absl::OkStatus();
}

}  // namespace

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

absl::StatusOr<std::string> SetEnergy(LanguageModel* model, const Speed& speed, const std::function<bool()>& cancelled,
                                      v1::FrontierPoint* point) {
  absl::StatusOr<std::unique_ptr<EnergyCounter>> counter = FindCounter();
  if (!counter.ok()) {
    RETURN_IF_ERROR(SetModelled(speed.work, point));
    return DescribeEnergySource(counter);
  }
  const absl::Status counted = SetCounted(counter->get(), model, speed, cancelled, point);
  if (counted.ok()) return DescribeEnergySource(counter);
  RETURN_IF_ERROR(SetModelled(speed.work, point));
  return fmt::format("modelled: {}", std::string(counted.message()));
}

}  // namespace ridgeline
