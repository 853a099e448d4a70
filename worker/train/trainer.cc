// SPDX-License-Identifier: Apache-2.0
#include "worker/train/trainer.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>

#include "common/host.h"
#include "common/memory.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "data/dataset.h"
#include "fmt/format.h"
#include "model/finite_weights.h"
#include "model/matrix_product.h"
#include "model/speed.h"
#include "model/training_pass.h"
#include "plan/network.h"
#include "quant/autograd/torch_pch.h"
#include "weights/model_store.h"
#include "worker/comm/agreement.h"
#include "worker/parallel/strategy.h"
#include "worker/train/artifact.h"
#include "worker/train/artifact_in_use.h"
#include "worker/train/checkpoint.h"
#include "worker/train/data_order.h"
#include "worker/train/dataset_tokenizer.h"
#include "worker/train/evaluate.h"
#include "worker/train/exceptions.h"
#include "worker/train/input_scales.h"
#include "worker/train/model_from_recipe.h"
#include "worker/train/nonfinite.h"
#include "worker/train/reporter.h"
#include "worker/train/schedule.h"
#include "worker/train/strategy_from_recipe.h"

namespace ridgeline {
namespace {

// Scalars that travel behind the gradients in the step's one all-reduce.
enum Extra : size_t { kLossSum, kDivergenceSum, kStopRequest, kFailedRanks, kOthersMebibytes, kExtraCount };

constexpr float kMebibyte = 1 << 20;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string RecipeHash(const v1::Recipe& recipe) {
  v1::Recipe decisive = recipe;  // What does not change the numbers may differ between attempts.
  decisive.clear_priority();
  decisive.clear_labels();
  decisive.clear_resources();
  decisive.clear_recovery();
  decisive.clear_export_();
  return Sha256Hex(decisive.SerializeAsString());
}

// Held-out text of the training kind, and of a second kind where the recipe names one.
struct Validation {
  Evaluation first;
  std::optional<Evaluation> second;
};

absl::Status CheckFinite(const Validation& validation, int64_t step) {
  RETURN_IF_ERROR(CheckFinite(validation.first, "the held-out text", step));
  return validation.second ? CheckFinite(*validation.second, "the second text", step) : absl::OkStatus();
}

class Attempt {
 public:
  Attempt(const v1::Assign& assignment, Communicator& communicator, const RunOptions& options)
      : recipe_(assignment.recipe()),
        assignment_(assignment),
        communicator_(communicator),
        options_(options),
        checkpoint_root_(
            (std::filesystem::path(options.work_dir) / "jobs" / assignment.job_id() / "checkpoints").string()),
        reporter_(recipe_, options.observer, communicator.rank()) {}

  absl::StatusOr<RunResult> Run();

 private:
  absl::Status SetUp();
  // AgreeThatAllSucceeded, with what each rank has to say about its own failure.
  absl::Status Agree(const absl::Status& mine, const char* what);
  absl::Status SetUpThisRank(const std::string& checkpoint_folder);
  absl::Status CheckStart();
  absl::Status OpenDatasets();
  absl::Status BuildModels();
  void LogSetUp();
  absl::StatusOr<std::string> AgreeOnCheckpoint();
  absl::StatusOr<std::string> ChooseCheckpoint();
  absl::Status Resume(const std::string& checkpoint_folder);
  absl::Status TellResumed(const std::string& checkpoint_folder);
  std::string PathFromWorkFolder(const std::string& path) const;
  absl::Status TrainStep();
  void ForwardBackward();
  void AddMicroBatch(Share share);
  std::pair<at::Tensor, at::Tensor> BatchOf(Share share) const;
  double ClippingFactor(double norm) const;
  absl::Status CountStep(const StepReport& report);
  absl::Status ValidateIfDue();
  absl::StatusOr<Validation> Validate();
  void Report(const Validation& validation);
  absl::StatusOr<Evaluation> EvaluateOn(const Dataset& dataset);
  absl::Status CheckpointIfDue(bool force);
  absl::Status WriteCheckpointOnRoot(std::map<std::string, at::Tensor> tensors);
  RunResult Stopped(StopRequest request) const;
  absl::StatusOr<RunResult> Finish();
  absl::Status LeaveResults(RunResult* result);
  absl::Status OpenArtifactOnAllRanks();
  absl::Status MeasureOnRoot(RunResult* result);
  absl::Status ExportIfWanted(RunResult* result);
  absl::Status ExportOnRoot(RunResult* result);
  v1::FrontierPoint MakePoint(const Validation& validation) const;

  int64_t tokens_per_step() const {
    return int64_t{recipe_.training().global_batch_size()} * recipe_.training().seq_len();
  }
  bool leaves_packed() const { return recipe_.export_().weights() == "packed"; }
  bool leaves_gguf() const { return recipe_.export_().weights() == "gguf"; }
  bool is_root() const { return communicator_.rank() == 0; }

  const v1::Recipe recipe_;
  const v1::Assign& assignment_;
  Communicator& communicator_;
  const RunOptions& options_;
  const std::string checkpoint_root_;
  Reporter reporter_;
  std::string recipe_hash_;
  std::unique_ptr<Dataset> dataset_;
  std::unique_ptr<Dataset> second_dataset_;  // Null without validation.second_path.
  std::unique_ptr<LanguageModel> model_, teacher_model_;
  std::unique_ptr<LanguageModel> model_in_use_;  // The packed artifact, from when it is there.
  std::unique_ptr<Strategy> strategy_;
  WindowOptions window_;
  SparsityPattern pattern_;  // The recipe's, which a schedule reaches in the end.
  int64_t step_ = 0;         // Optimizer steps that are done.
  int64_t last_checkpoint_step_ = -1;
  SkippedSteps skipped_;
  StopRequest stop_ = StopRequest::kNone;
};

absl::StatusOr<RunResult> Attempt::Run() {
  RETURN_IF_ERROR(SetUp());
  reporter_.RestartRate(step_);
  while (step_ < recipe_.training().steps()) {
    RETURN_IF_ERROR(TrainStep());
    if (stop_ == StopRequest::kCancel) return Stopped(stop_);
    if (stop_ == StopRequest::kNone) RETURN_IF_ERROR(ValidateIfDue());
    RETURN_IF_ERROR(CheckpointIfDue(stop_ == StopRequest::kPreempt));
    if (stop_ == StopRequest::kPreempt) return Stopped(stop_);
  }
  return Finish();
}

absl::Status Attempt::Agree(const absl::Status& mine, const char* what) {
  // Rank 0's own reason is the attempt's, which is told at its end.
  if (!mine.ok() && !is_root()) reporter_.LogOfRank("error", fmt::format("{}: {}", what, std::string(mine.message())));
  const absl::Status all = AgreeThatAllSucceeded(mine, what, communicator_);
  if (absl::IsDeadlineExceeded(all)) return all;
  RETURN_IF_ERROR(reporter_.PassLinesOn(communicator_));
  return all;
}

absl::Status Attempt::SetUp() {
  reporter_.Phase(step_, "starting");
  recipe_hash_ = RecipeHash(recipe_);
  ASSIGN_OR_RETURN(std::string folder, AgreeOnCheckpoint());
  RETURN_IF_ERROR(Agree(ConvertExceptions([&] { return SetUpThisRank(folder); }), "set-up"));
  RETURN_IF_ERROR(CheckStart());
  LogSetUp();
  if (step_ == 0) RETURN_IF_ERROR(SetInputScales(model_.get(), BatchOf({0, 1}).first, communicator_));
  // Where a pretrained model begins once it is quantized is what training has to make good.
  if (step_ == 0 && recipe_.model().has_path() && recipe_.validation().interval() > 0) return Validate().status();
  return absl::OkStatus();
}

// Every rank looks at its own copy: its message is the job's reason, and begins as such.
absl::Status Attempt::CheckStart() {
  const absl::Status mine = CheckFiniteWeights(*model_, step_ == 0 ? ModelLabel(recipe_) : "the checkpoint");
  const absl::Status all = Agree(mine, "look at the first weights");
  return mine.ok() ? all : mine;
}

absl::Status Attempt::SetUpThisRank(const std::string& checkpoint_folder) {
  reporter_.LogOfRank("info", fmt::format("rank {} of {}: process {} on {}, {} threads", communicator_.rank(),
                                          communicator_.size(), getpid(), HostName(), at::get_num_threads()));
  RETURN_IF_ERROR(OpenDatasets());
  RETURN_IF_ERROR(BuildModels());
  if (recipe_.training().dtype() == "bfloat16" && !HasBfloat16Products())
    reporter_.LogOfRank("warn",
                        "this CPU has no bfloat16 instructions: products are computed in float32, with conversions; "
                        "training.dtype: float32 is faster here");
  return Resume(checkpoint_folder);
}

absl::Status Attempt::OpenDatasets() {
  ASSIGN_OR_RETURN(dataset_, Dataset::Open(recipe_.dataset().path()));
  if (communicator_.rank() == 0) {
    std::string untold;
    RETURN_IF_ERROR(CheckDatasetTokenizer(recipe_, *dataset_, &untold));
    if (!untold.empty()) reporter_.Log("warn", untold);
  }
  window_.seq_len = recipe_.training().seq_len();
  const SpecialTokens special = dataset_->tokenizer().special_tokens();
  if (special.prompt_begins_with_bos) window_.bos = special.bos_id;
  if (static_cast<int64_t>(dataset_->train().size()) <= window_.seq_len)
    return absl::InvalidArgumentError(fmt::format("{} has {} training tokens, training.seq_len {} needs more",
                                                  recipe_.dataset().path(), dataset_->train().size(), window_.seq_len));
  if (!recipe_.validation().has_second_path()) return absl::OkStatus();
  ASSIGN_OR_RETURN(second_dataset_, Dataset::Open(recipe_.validation().second_path()));
  if (second_dataset_->tokenizer().ToJson() != dataset_->tokenizer().ToJson())
    return absl::InvalidArgumentError(fmt::format("{} was prepared with another tokenizer than {}",
                                                  recipe_.validation().second_path(), recipe_.dataset().path()));
  return absl::OkStatus();
}

absl::Status Attempt::BuildModels() {
  ASSIGN_OR_RETURN(model_, ModelFromRecipe(recipe_, dataset_->info().vocab_size));
  ASSIGN_OR_RETURN(pattern_, ParseSparsityPattern(recipe_.sparsity().pattern()));
  if (recipe_.training().distill().weight() > 0) {
    ASSIGN_OR_RETURN(teacher_model_, TeacherFromRecipe(recipe_));
  }
  strategy_ = StrategyFromRecipe(recipe_, model_.get(), kExtraCount, communicator_);
  return absl::OkStatus();
}

void Attempt::LogSetUp() {
  const std::string size = fmt::format("{} on {} ranks: {}, vocabulary {}", ModelLabel(recipe_), communicator_.size(),
                                       model_->Summary(), model_->vocab_size());
  reporter_.Log("info", fmt::format("{}, {} training tokens, starts at step {} of {}", size, dataset_->train().size(),
                                    step_, recipe_.training().steps()));
  reporter_.Log("info",
                fmt::format("{} of {} linear layers are quantized or pruned; the embedding, which is the head, {}; "
                            "norms and biases are not",
                            model_->QuantizedNames().size(), model_->LinearNames().size(),
                            model_->head().quantizer.quantizes()
                                ? fmt::format("is {}", FormatName(model_->head().quantizer.format))
                                : "is not"));
}

// One rank looks and tells the others: on shared storage two may see different folders at the same moment.
absl::StatusOr<std::string> Attempt::AgreeOnCheckpoint() {
  absl::StatusOr<std::string> folder = is_root() ? ChooseCheckpoint() : "";
  RETURN_IF_ERROR(Agree(folder.status(), "choice of a checkpoint"));
  RETURN_IF_ERROR(communicator_.BroadcastFromRoot(&*folder, "choice of a checkpoint"));
  return folder;
}

// The folder to resume from; empty starts from step 0.
absl::StatusOr<std::string> Attempt::ChooseCheckpoint() {
  if (!assignment_.has_resume_from() && assignment_.epoch() <= 1) {
    // What a first attempt finds can only be of another life, whose jobs had the same numbers.
    std::error_code error;
    std::filesystem::remove_all(checkpoint_root_, error);
    RemoveArtifacts(options_.work_dir, assignment_.job_id());
    return "";
  }
  const FoundCheckpoint found = FindNewestCheckpoint(checkpoint_root_, assignment_.job_id(), recipe_hash_);
  for (const std::string& why : found.passed_over)
    reporter_.Log("warn", fmt::format("a checkpoint is passed over: {}", why));
  // Without one to resume from, an earlier attempt may have written one while the coordinator was away, or none.
  if (found.folder.empty() && assignment_.has_resume_from())
    return absl::NotFoundError(fmt::format("no usable checkpoint under {}{}{}", checkpoint_root_,
                                           found.passed_over.empty() ? "" : "; ", fmt::join(found.passed_over, "; ")));
  return found.folder;
}

absl::Status Attempt::Resume(const std::string& checkpoint_folder) {
  if (checkpoint_folder.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(CheckpointState state, ReadCheckpoint(checkpoint_folder));
  RETURN_IF_ERROR(strategy_->Restore(state.tensors.tensors, state.step, SparsityAt(recipe_, pattern_, state.step)));
  step_ = last_checkpoint_step_ = state.step;
  skipped_ = state.skipped;
  return is_root() ? TellResumed(checkpoint_folder) : absl::OkStatus();
}

// The coordinator may have heard of another one: of a newer one that is damaged, or of none.
absl::Status Attempt::TellResumed(const std::string& checkpoint_folder) {
  if (assignment_.has_resume_from() && assignment_.resume_from().step() == step_) return absl::OkStatus();
  ASSIGN_OR_RETURN(v1::Checkpoint checkpoint, DescribeCheckpoint(checkpoint_folder, step_));
  checkpoint.set_path(PathFromWorkFolder(checkpoint_folder));
  options_.observer->OnResumed(checkpoint);
  return absl::OkStatus();
}

// Another group may see the same storage at another place.
std::string Attempt::PathFromWorkFolder(const std::string& path) const {
  return std::filesystem::path(path).lexically_relative(options_.work_dir).string();
}

// Adds this rank's share of the batch to gradients and loss sum, divided by the whole batch's tokens.
void Attempt::ForwardBackward() {
  strategy_->ClearGradients();
  const v1::Training& training = recipe_.training();
  const Share share = ShareOfRank(training.global_batch_size(), communicator_.rank(), communicator_.size());
  const int64_t local = training.local_batch_size() > 0 ? training.local_batch_size() : share.end - share.begin;
  for (int64_t begin = share.begin; begin < share.end; begin += local)
    AddMicroBatch({begin, std::min(begin + local, share.end)});
}

// Inputs and targets of the samples [share.begin, share.end) of the step's batch, (B, T) each.
std::pair<at::Tensor, at::Tensor> Attempt::BatchOf(Share share) const {
  const v1::Training& training = recipe_.training();
  std::vector<int64_t> offsets;
  for (int64_t i = share.begin; i < share.end; ++i)
    offsets.push_back(SampleOffset(training.seed(), step_ * training.global_batch_size() + i,
                                   static_cast<int64_t>(dataset_->train().size()), training.seq_len()));
  return GatherBatch(dataset_->train(), offsets, window_);
}

void Attempt::AddMicroBatch(Share share) {
  const v1::Training& training = recipe_.training();
  const auto [inputs, targets] = BatchOf(share);
  const double scale = 1 / static_cast<double>(tokens_per_step());
  const Teacher teacher{.model = teacher_model_.get(),
                        .weight = training.distill().weight(),
                        .temperature = training.distill().temperature()};
  const PassResult result = AccumulateGradients(model_.get(), inputs, targets, scale, teacher);
  strategy_->extras()[kLossSum] += static_cast<float>(result.score.loss * scale);
  strategy_->extras()[kDivergenceSum] += static_cast<float>(result.divergence * scale);
}

absl::Status Attempt::TrainStep() {
  const auto start = std::chrono::steady_clock::now();
  const absl::Status computed = ConvertExceptions([this] {
    strategy_->SetSparsity(SparsityAt(recipe_, pattern_, step_));
    ForwardBackward();
    return absl::OkStatus();
  });
  std::span<float> extras = strategy_->extras();
  if (!computed.ok()) extras[kFailedRanks] = 1;
  StepReport report;
  report.forward_backward_seconds = SecondsSince(start);
  if (options_.observer != nullptr)
    extras[kStopRequest] = static_cast<float>(options_.observer->PollStop());
  else
    extras[kOthersMebibytes] = static_cast<float>(ResidentBytes()) / kMebibyte;
  RETURN_IF_ERROR(strategy_->ReduceGradients());
  if (extras[kFailedRanks] > 0) return Agree(computed, "training step");
  report.collective_seconds = SecondsSince(start) - report.forward_backward_seconds;
  if (options_.observer != nullptr)
    options_.observer->OnOthersMemory(static_cast<int64_t>(extras[kOthersMebibytes] * kMebibyte));
  stop_ = static_cast<StopRequest>(static_cast<int>(extras[kStopRequest]));
  report.loss = extras[kLossSum];
  if (teacher_model_ != nullptr) report.distill_divergence = extras[kDivergenceSum];
  report.grad_norm = strategy_->PassThroughQuantizers();
  report.finite = std::isfinite(report.loss) && std::isfinite(report.grad_norm);
  report.lr = LearningRateAt(recipe_, step_);
  if (report.finite) strategy_->Step(report.lr, ClippingFactor(report.grad_norm));
  ++step_;
  report.step_seconds = SecondsSince(start);
  report.optimizer_seconds = report.step_seconds - report.forward_backward_seconds - report.collective_seconds;
  reporter_.Step(step_, report);
  return CountStep(report);
}

// What gradients are multiplied with so that their norm is at most training.max_norm.
double Attempt::ClippingFactor(double norm) const {
  const double max_norm = recipe_.training().max_norm();
  return max_norm > 0 && norm > max_norm ? max_norm / (norm + 1e-6) : 1;
}

absl::Status Attempt::CountStep(const StepReport& report) {
  skipped_.Count(report.finite);
  if (!report.finite)
    reporter_.Log("warn",
                  fmt::format("step {} skipped: loss {}, gradient norm {}", step_, report.loss, report.grad_norm));
  return CheckGoesOn(skipped_, step_);
}

absl::Status Attempt::ValidateIfDue() {
  const int64_t interval = recipe_.validation().interval();
  if (interval == 0 || step_ % interval != 0 || step_ == recipe_.training().steps()) return absl::OkStatus();
  return Validate().status();
}

absl::StatusOr<Validation> Attempt::Validate() {
  reporter_.Phase(step_, "evaluating");
  Validation result;
  ASSIGN_OR_RETURN(result.first, EvaluateOn(*dataset_));
  if (second_dataset_ != nullptr) {
    ASSIGN_OR_RETURN(result.second, EvaluateOn(*second_dataset_));
  }
  Report(result);
  reporter_.RestartRate(step_);
  return result;
}

// A number that is not finite is no measurement: the log has it alone.
void Attempt::Report(const Validation& validation) {
  v1::MetricPoint point;
  point.set_phase("training");
  std::string text = fmt::format("step {}: held-out loss {:.4f}, accuracy {:.2f}% over {} tokens", step_,
                                 validation.first.loss, 100 * validation.first.accuracy, validation.first.tokens);
  if (std::isfinite(validation.first.loss)) {
    point.set_validation_loss(validation.first.loss);
    point.set_validation_accuracy(validation.first.accuracy);
  }
  if (validation.second) {
    text += fmt::format("; second text: loss {:.4f}, accuracy {:.2f}%", validation.second->loss,
                        100 * validation.second->accuracy);
    if (std::isfinite(validation.second->loss)) {
      point.set_second_loss(validation.second->loss);
      point.set_second_accuracy(validation.second->accuracy);
    }
  }
  if (is_root()) {
    const double error_ratio = model_->WeightErrorRatio();
    if (std::isfinite(error_ratio)) point.set_quant_error_ratio(error_ratio);
  }
  reporter_.Metrics(step_, std::move(point));
  reporter_.Log(CheckFinite(validation, step_).ok() ? "info" : "warn", text);
}

absl::StatusOr<Evaluation> Attempt::EvaluateOn(const Dataset& dataset) {
  const absl::StatusOr<ScoredShare> share =
      ScoreShare(model_in_use_ ? model_in_use_.get() : model_.get(), dataset.validation(), window_,
                 recipe_.validation().sequences(), communicator_);
  RETURN_IF_ERROR(Agree(share.status(), "evaluation"));
  return SumOfShares(*share, communicator_);
}

absl::Status Attempt::CheckpointIfDue(bool force) {
  const int64_t interval = recipe_.checkpoint().interval();
  const bool due = interval > 0 && step_ % interval == 0;
  if ((!due && !force) || step_ == last_checkpoint_step_) return absl::OkStatus();
  reporter_.Phase(step_, "checkpointing");
  const absl::Status written = ConvertExceptions([this] {
    std::map<std::string, at::Tensor> tensors = strategy_->State();
    return is_root() ? WriteCheckpointOnRoot(std::move(tensors)) : absl::OkStatus();
  });
  RETURN_IF_ERROR(Agree(written, "checkpoint"));
  last_checkpoint_step_ = step_;
  return absl::OkStatus();
}

absl::Status Attempt::WriteCheckpointOnRoot(std::map<std::string, at::Tensor> tensors) {
  CheckpointState state{.step = step_,
                        .epoch = assignment_.epoch(),
                        .job_id = assignment_.job_id(),
                        .recipe_sha256 = recipe_hash_,
                        .skipped = skipped_};
  state.tensors.tensors = std::move(tensors);
  ASSIGN_OR_RETURN(v1::Checkpoint checkpoint, WriteCheckpoint(checkpoint_root_, state));
  checkpoint.set_path(PathFromWorkFolder(checkpoint.path()));
  options_.observer->OnCheckpoint(checkpoint);
  const absl::Status removed =
      RemoveOldCheckpoints(checkpoint_root_, recipe_.checkpoint().keep_latest(), assignment_.epoch());
  if (!removed.ok()) reporter_.Log("warn", fmt::format("old checkpoints stay: {}", std::string(removed.message())));
  return absl::OkStatus();
}

RunResult Attempt::Stopped(StopRequest request) const {
  const bool cancel = request == StopRequest::kCancel;
  return {.outcome = cancel ? v1::STOPPED : v1::PREEMPTED,
          .detail = fmt::format("{} at step {}", cancel ? "cancelled" : "worker group asked to end", step_)};
}

absl::StatusOr<RunResult> Attempt::Finish() {
  RETURN_IF_ERROR(CheckEnded(skipped_, step_));
  RunResult result{.outcome = v1::COMPLETED, .detail = fmt::format("{} steps", step_)};
  if (skipped_.total > 0)
    result.detail += fmt::format(", {} of them skipped: loss or gradient was not finite", skipped_.total);
  const absl::Status left = LeaveResults(&result);
  if (!left.ok() && is_root()) RemoveArtifacts(options_.work_dir, assignment_.job_id());
  RETURN_IF_ERROR(left);
  return result;
}

// What is said of a packed artifact is measured on the file.
absl::Status Attempt::LeaveResults(RunResult* result) {
  // llama.cpp is not run here: what is scored of a GGUF is the model with all that the file rounds.
  if (leaves_gguf()) RoundToBfloat16(model_.get());
  RETURN_IF_ERROR(ExportIfWanted(result));
  if (leaves_packed()) RETURN_IF_ERROR(OpenArtifactOnAllRanks());
  ASSIGN_OR_RETURN(const Validation validation, Validate());
  RETURN_IF_ERROR(CheckFinite(validation, step_));
  if (!recipe_.export_().frontier()) return absl::OkStatus();
  result->point = MakePoint(validation);
  if (is_root() && KeepsCodes(recipe_.export_().weights())) SetFile(result->artifacts.front(), &*result->point);
  if (!leaves_packed()) return absl::OkStatus();
  return Agree(ConvertExceptions([&] { return is_root() ? MeasureOnRoot(result) : absl::OkStatus(); }),
               "measurement of speed");
}

absl::Status Attempt::OpenArtifactOnAllRanks() {
  strategy_.reset();
  const std::string folder = ModelArtifactFolder(options_.work_dir, assignment_.job_id());
  const absl::Status opened = ConvertExceptions([&]() -> absl::Status {
    ASSIGN_OR_RETURN(model_in_use_, OpenArtifact(folder, recipe_.training().dtype()));
    return absl::OkStatus();
  });
  return Agree(opened, "opening the artifact");
}

absl::Status Attempt::MeasureOnRoot(RunResult* result) {
  reporter_.Phase(step_, "measuring");
  v1::FrontierPoint* point = &*result->point;
  const Speed speed = MeasureSpeed(model_in_use_.get(), {.prompt_tokens = recipe_.training().seq_len()});
  SetSpeed(speed, point);
  reporter_.Log("info", fmt::format("the artifact on {}, threads: {}; {:.0f} tokens/s of a prompt of {}, {:.0f} new "
                                    "tokens/s",
                                    point->cpu(), point->threads(), speed.prefill_tokens_per_second,
                                    speed.prompt_tokens, speed.decode_tokens_per_second));
  const auto cancelled = [this] { return options_.observer->PollStop() == StopRequest::kCancel; };
  ASSIGN_OR_RETURN(const std::string source, SetEnergy(model_in_use_.get(), speed, cancelled, point));
  reporter_.Log("info", fmt::format("energy: {:.3g} J a new token, {}", point->energy_joules_per_token(), source));
  return absl::OkStatus();
}

v1::FrontierPoint Attempt::MakePoint(const Validation& validation) const {
  v1::FrontierPoint point = PointFromRecipe(recipe_, model_->Cost());
  point.set_job_id(assignment_.job_id());
  point.set_dataset(dataset_->info().name);
  point.set_steps(step_);
  point.set_tokens(step_ * tokens_per_step());
  point.set_loss(validation.first.loss);
  point.set_accuracy(validation.first.accuracy);
  if (validation.second) point.set_second_loss(validation.second->loss);
  point.set_version(RIDGELINE_VERSION);
  return point;
}

absl::Status Attempt::ExportIfWanted(RunResult* result) {
  const std::string& weights = recipe_.export_().weights();
  if (weights != "safetensors" && !KeepsCodes(weights)) return absl::OkStatus();
  const absl::Status written = ConvertExceptions([&] { return is_root() ? ExportOnRoot(result) : absl::OkStatus(); });
  return Agree(written, "export");
}

absl::Status Attempt::ExportOnRoot(RunResult* result) {
  reporter_.Phase(step_, "exporting");
  std::string model_path;
  if (recipe_.model().has_path()) {
    ASSIGN_OR_RETURN(model_path, ResolveModelPath(recipe_.model().path()));
  }
  ASSIGN_OR_RETURN(v1::Artifact artifact,
                   WriteModelArtifact(model_.get(), recipe_.export_().weights(), model_path, *dataset_,
                                      recipe_.dataset().path(), options_.work_dir, assignment_.job_id()));
  reporter_.Log("info", fmt::format("artifact '{}': {} files, {} bytes in {}/{}", artifact.name(),
                                    artifact.files_size(), artifact.bytes(), artifact.work_dir(), artifact.path()));
  result->artifacts.push_back(std::move(artifact));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunResult> RunAttempt(const v1::Assign& assignment, Communicator& communicator,
                                     const RunOptions& options) {
  absl::StatusOr<RunResult> result = absl::UnknownError("the run did not begin");
  absl::Status thrown = ConvertExceptions([&] {
    result = Attempt(assignment, communicator, options).Run();
    return absl::OkStatus();
  });
  if (!thrown.ok()) return thrown;
  return result;
}

}  // namespace ridgeline
