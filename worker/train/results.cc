// SPDX-License-Identifier: Apache-2.0
#include "worker/train/results.h"

#include <memory>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/speed.h"
#include "weights/model_store.h"
#include "worker/train/artifact.h"
#include "worker/train/artifact_in_use.h"
#include "worker/train/exceptions.h"
#include "worker/train/model_from_recipe.h"
#include "worker/train/validation.h"

namespace ridgeline {
namespace {

class LastPart {
 public:
  LastPart(LanguageModel* model, std::unique_ptr<Strategy> strategy, const TrainingData& data, int64_t steps,
           AttemptContext* context)
      : model_(model),
        strategy_(std::move(strategy)),
        data_(data),
        steps_(steps),
        context_(*context),
        recipe_(context->recipe()) {}

  absl::StatusOr<Results> Leave();

 private:
  absl::StatusOr<Validation> Score(LanguageModel* model, double error_ratio);
  absl::Status ExportIfWanted();
  absl::Status ExportOnRoot();
  absl::Status OpenArtifactOnAllRanks();
  v1::FrontierPoint MakePoint(const Validation& validation) const;
  absl::Status MeasureOnRoot();

  const std::string& weights() const { return recipe_.export_().weights(); }
  bool LeavesWeights() const { return weights() == "safetensors" || KeepsCodes(weights()); }

  LanguageModel* const model_;
  std::unique_ptr<Strategy> strategy_;  // Until weights are exported.
  const TrainingData& data_;
  const int64_t steps_;
  AttemptContext& context_;
  const v1::Recipe& recipe_;
  std::unique_ptr<LanguageModel> model_in_use_;  // The packed artifact, from when it is there.
  Results results_;
};

absl::StatusOr<Results> LastPart::Leave() {
  // llama.cpp is not run here: what is scored of a GGUF is the model with all that the file rounds.
  if (weights() == "gguf") RoundToBfloat16(model_);
  const bool leaves_packed = weights() == "packed";
  ASSIGN_OR_RETURN(const double error_ratio, strategy_->WeightErrorRatio());
  Validation validation;
  if (!leaves_packed) {
    ASSIGN_OR_RETURN(validation, Score(model_, error_ratio));
  }
  if (LeavesWeights()) RETURN_IF_ERROR(strategy_->AssembleOnRoot());
  strategy_.reset();
  RETURN_IF_ERROR(ExportIfWanted());
  if (leaves_packed) {
    RETURN_IF_ERROR(OpenArtifactOnAllRanks());
    ASSIGN_OR_RETURN(validation, Score(model_in_use_.get(), error_ratio));
  }
  if (!recipe_.export_().frontier()) return std::move(results_);
  results_.point = MakePoint(validation);
  if (context_.is_root() && KeepsCodes(weights())) SetFile(results_.artifacts.front(), &*results_.point);
  if (!leaves_packed) return std::move(results_);
  RETURN_IF_ERROR(
      context_.Agree(ConvertExceptions([&] { return context_.is_root() ? MeasureOnRoot() : absl::OkStatus(); }),
                     "measurement of speed"));
  return std::move(results_);
}

absl::StatusOr<Validation> LastPart::Score(LanguageModel* model, double error_ratio) {
  ASSIGN_OR_RETURN(const Validation validation, Validate(model, error_ratio, data_, steps_, &context_));
  RETURN_IF_ERROR(CheckFinite(validation, steps_));
  return validation;
}

absl::Status LastPart::ExportIfWanted() {
  if (!LeavesWeights()) return absl::OkStatus();
  const absl::Status written =
      ConvertExceptions([&] { return context_.is_root() ? ExportOnRoot() : absl::OkStatus(); });
  return context_.Agree(written, "export");
}

absl::Status LastPart::ExportOnRoot() {
  context_.reporter.Phase(steps_, "exporting");
  std::string model_path;
  if (recipe_.model().has_path()) {
    ASSIGN_OR_RETURN(model_path, ResolveModelPath(recipe_.model().path()));
  }
  ASSIGN_OR_RETURN(v1::Artifact artifact,
                   WriteModelArtifact(model_, weights(), model_path, *data_.dataset, recipe_.dataset().path(),
                                      context_.work_dir, context_.assignment.job_id()));
  context_.reporter.Log(
      "info", fmt::format("artifact '{}': {} files, {} bytes in {}/{}", artifact.name(), artifact.files_size(),
                          artifact.bytes(), artifact.work_dir(), artifact.path()));
  results_.artifacts.push_back(std::move(artifact));
  return absl::OkStatus();
}

absl::Status LastPart::OpenArtifactOnAllRanks() {
  const std::string folder = ModelArtifactFolder(context_.work_dir, context_.assignment.job_id());
  const absl::Status opened = ConvertExceptions([&]() -> absl::Status {
    ASSIGN_OR_RETURN(model_in_use_, OpenArtifact(folder, recipe_.training().dtype()));
    return absl::OkStatus();
  });
  return context_.Agree(opened, "opening the artifact");
}

v1::FrontierPoint LastPart::MakePoint(const Validation& validation) const {
  v1::FrontierPoint point = PointFromRecipe(recipe_, model_->Cost());
  point.set_job_id(context_.assignment.job_id());
  point.set_dataset(data_.dataset->info().name);
  point.set_steps(steps_);
  point.set_tokens(steps_ * context_.tokens_per_step());
  point.set_loss(validation.first.loss);
  point.set_accuracy(validation.first.accuracy);
  if (validation.second) point.set_second_loss(validation.second->loss);
  point.set_version(RIDGELINE_VERSION);
  return point;
}

absl::Status LastPart::MeasureOnRoot() {
  context_.reporter.Phase(steps_, "measuring");
  v1::FrontierPoint* point = &*results_.point;
  const Speed speed = MeasureSpeed(model_in_use_.get(), {.prompt_tokens = recipe_.training().seq_len()});
  SetSpeed(speed, point);
  context_.reporter.Log(
      "info", fmt::format("the artifact on {}, threads: {}; {:.0f} tokens/s of a prompt of {}, {:.0f} new tokens/s",
                          point->cpu(), point->threads(), speed.prefill_tokens_per_second, speed.prompt_tokens,
                          speed.decode_tokens_per_second));
  const auto cancelled = [this] { return context_.observer->PollStop() == StopRequest::kCancel; };
  ASSIGN_OR_RETURN(const std::string source, SetEnergy(model_in_use_.get(), speed, cancelled, point));
  context_.reporter.Log("info",
                        fmt::format("energy: {:.3g} J a new token, {}", point->energy_joules_per_token(), source));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Results> LeaveResults(LanguageModel* model, std::unique_ptr<Strategy> strategy, const TrainingData& data,
                                     int64_t steps, AttemptContext* context) {
  absl::StatusOr<Results> results = LastPart(model, std::move(strategy), data, steps, context).Leave();
  if (!results.ok() && context->is_root()) RemoveArtifacts(context->work_dir, context->assignment.job_id());
  return results;
}

}  // namespace ridgeline
