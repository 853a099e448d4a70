// SPDX-License-Identifier: Apache-2.0
#include "worker/train/trainer.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "common/host.h"
#include "common/memory.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/finite_weights.h"
#include "model/matrix_product.h"
#include "model/training_pass.h"
#include "plan/network.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/strategy.h"
#include "worker/train/attempt_checkpoints.h"
#include "worker/train/attempt_context.h"
#include "worker/train/data_order.h"
#include "worker/train/exceptions.h"
#include "worker/train/input_scales.h"
#include "worker/train/model_from_recipe.h"
#include "worker/train/nonfinite.h"
#include "worker/train/reporter.h"
#include "worker/train/results.h"
#include "worker/train/schedule.h"
#include "worker/train/strategy_from_recipe.h"
#include "worker/train/training_data.h"
#include "worker/train/validation.h"

namespace ridgeline {
namespace {

// Scalars that travel behind the gradients in the step's one all-reduce.
enum Extra : size_t { kLossSum, kDivergenceSum, kStopRequest, kFailedRanks, kOthersMebibytes, kExtraCount };

constexpr float kMebibyte = 1 << 20;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class Attempt {
 public:
  Attempt(const v1::Assign& assignment, Communicator& communicator, const RunOptions& options)
      : context_(assignment, communicator, options.work_dir, options.observer),
        recipe_(assignment.recipe()),
        checkpoints_(&context_) {}

  absl::StatusOr<RunResult> Run();

 private:
  absl::Status SetUp();
  absl::Status SetUpThisRank(const std::string& checkpoint_folder);
  absl::Status CheckStart();
  absl::Status BuildModels();
  void LogSetUp();
  absl::Status TrainStep();
  void ForwardBackward();
  void AddMicroBatch(Share share);
  double ClippingFactor(double norm) const;
  absl::Status CountStep(const StepReport& report);
  absl::Status ValidateIfDue();
  RunResult Stopped(StopRequest request) const;
  absl::StatusOr<RunResult> Finish();

  AttemptContext context_;
  const v1::Recipe& recipe_;
  AttemptCheckpoints checkpoints_;
  TrainingData data_;
  std::unique_ptr<LanguageModel> model_, teacher_model_;
  std::unique_ptr<Strategy> strategy_;
  SparsityPattern pattern_;  // The recipe's, which a schedule reaches in the end.
  Progress progress_;
  StopRequest stop_ = StopRequest::kNone;
};

absl::StatusOr<RunResult> Attempt::Run() {
  RETURN_IF_ERROR(SetUp());
  context_.reporter.RestartRate(progress_.step);
  while (progress_.step < recipe_.training().steps()) {
    RETURN_IF_ERROR(TrainStep());
    if (stop_ == StopRequest::kCancel) return Stopped(stop_);
    if (stop_ == StopRequest::kNone) RETURN_IF_ERROR(ValidateIfDue());
    RETURN_IF_ERROR(checkpoints_.WriteIfDue(progress_, stop_ == StopRequest::kPreempt, *strategy_));
    if (stop_ == StopRequest::kPreempt) return Stopped(stop_);
  }
  return Finish();
}

absl::Status Attempt::SetUp() {
  context_.reporter.Phase(progress_.step, "starting");
  ASSIGN_OR_RETURN(std::string folder, checkpoints_.Choose());
  RETURN_IF_ERROR(context_.Agree(ConvertExceptions([&] { return SetUpThisRank(folder); }), "set-up"));
  RETURN_IF_ERROR(CheckStart());
  LogSetUp();
  if (progress_.step == 0)
    RETURN_IF_ERROR(
        SetInputScales(model_.get(), BatchOf(data_, recipe_.training(), 0, {0, 1}).first, context_.communicator));
  // Where a pretrained model begins once it is quantized is what training has to make good.
  if (progress_.step == 0 && recipe_.model().has_path() && recipe_.validation().interval() > 0)
    return Validate(model_.get(), *model_, data_, progress_.step, &context_).status();
  return absl::OkStatus();
}

// Every rank looks at its own copy: its message is the job's reason, and begins as such.
absl::Status Attempt::CheckStart() {
  const absl::Status mine = CheckFiniteWeights(*model_, progress_.step == 0 ? ModelLabel(recipe_) : "the checkpoint");
  const absl::Status all = context_.Agree(mine, "look at the first weights");
  return mine.ok() ? all : mine;
}

absl::Status Attempt::SetUpThisRank(const std::string& checkpoint_folder) {
  context_.reporter.LogOfRank("info",
                              fmt::format("rank {} of {}: process {} on {}, {} threads", context_.communicator.rank(),
                                          context_.communicator.size(), getpid(), HostName(), at::get_num_threads()));
  ASSIGN_OR_RETURN(data_, OpenTrainingData(recipe_, context_.is_root(), &context_.reporter));
  RETURN_IF_ERROR(BuildModels());
  if (recipe_.training().dtype() == "bfloat16" && !HasBfloat16Products())
    context_.reporter.LogOfRank(
        "warn",
        "this CPU has no bfloat16 instructions: products are computed in float32, with conversions; "
        "training.dtype: float32 is faster here");
  ASSIGN_OR_RETURN(progress_, checkpoints_.Resume(checkpoint_folder, pattern_, strategy_.get()));
  return absl::OkStatus();
}

absl::Status Attempt::BuildModels() {
  ASSIGN_OR_RETURN(model_, ModelFromRecipe(recipe_, data_.dataset->info().vocab_size));
  ASSIGN_OR_RETURN(pattern_, ParseSparsityPattern(recipe_.sparsity().pattern()));
  if (recipe_.training().distill().weight() > 0) {
    ASSIGN_OR_RETURN(teacher_model_, TeacherFromRecipe(recipe_));
  }
  strategy_ = StrategyFromRecipe(recipe_, model_.get(), kExtraCount, context_.communicator);
  return absl::OkStatus();
}

void Attempt::LogSetUp() {
  const std::string size = fmt::format("{} on {} ranks: {}, vocabulary {}", ModelLabel(recipe_),
                                       context_.communicator.size(), model_->Summary(), model_->vocab_size());
  context_.reporter.Log("info", fmt::format("{}, {} training tokens, starts at step {} of {}", size,
                                            data_.dataset->train().size(), progress_.step, recipe_.training().steps()));
  context_.reporter.Log(
      "info", fmt::format("{} of {} linear layers are quantized or pruned; the embedding, which is the head, {}; "
                          "norms and biases are not",
                          model_->QuantizedNames().size(), model_->LinearNames().size(),
                          model_->head().quantizer.quantizes()
                              ? fmt::format("is {}", FormatName(model_->head().quantizer.format))
                              : "is not"));
}

// Adds this rank's share of the batch to gradients and loss sum, divided by the whole batch's tokens.
void Attempt::ForwardBackward() {
  strategy_->ClearGradients();
  const v1::Training& training = recipe_.training();
  const Share share =
      ShareOfRank(training.global_batch_size(), context_.communicator.rank(), context_.communicator.size());
  const int64_t local = training.local_batch_size() > 0 ? training.local_batch_size() : share.end - share.begin;
  for (int64_t begin = share.begin; begin < share.end; begin += local)
    AddMicroBatch({begin, std::min(begin + local, share.end)});
}

void Attempt::AddMicroBatch(Share share) {
  const v1::Training& training = recipe_.training();
  const auto [inputs, targets] = BatchOf(data_, training, progress_.step, share);
  const double scale = 1 / static_cast<double>(context_.tokens_per_step());
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
    strategy_->SetSparsity(SparsityAt(recipe_, pattern_, progress_.step));
    ForwardBackward();
    return absl::OkStatus();
  });
  std::span<float> extras = strategy_->extras();
  if (!computed.ok()) extras[kFailedRanks] = 1;
  StepReport report;
  report.forward_backward_seconds = SecondsSince(start);
  if (context_.observer != nullptr)
    extras[kStopRequest] = static_cast<float>(context_.observer->PollStop());
  else
    extras[kOthersMebibytes] = static_cast<float>(ResidentBytes()) / kMebibyte;
  RETURN_IF_ERROR(strategy_->ReduceGradients());
  if (extras[kFailedRanks] > 0) return context_.Agree(computed, "training step");
  report.collective_seconds = SecondsSince(start) - report.forward_backward_seconds;
  if (context_.observer != nullptr)
    context_.observer->OnOthersMemory(static_cast<int64_t>(extras[kOthersMebibytes] * kMebibyte));
  stop_ = static_cast<StopRequest>(static_cast<int>(extras[kStopRequest]));
  report.loss = extras[kLossSum];
  if (teacher_model_ != nullptr) report.distill_divergence = extras[kDivergenceSum];
  report.grad_norm = strategy_->PassThroughQuantizers();
  report.finite = std::isfinite(report.loss) && std::isfinite(report.grad_norm);
  report.lr = LearningRateAt(recipe_, progress_.step);
  if (report.finite) strategy_->Step(report.lr, ClippingFactor(report.grad_norm));
  ++progress_.step;
  report.step_seconds = SecondsSince(start);
  report.optimizer_seconds = report.step_seconds - report.forward_backward_seconds - report.collective_seconds;
  context_.reporter.Step(progress_.step, report);
  return CountStep(report);
}

// What gradients are multiplied with so that their norm is at most training.max_norm.
double Attempt::ClippingFactor(double norm) const {
  const double max_norm = recipe_.training().max_norm();
  return max_norm > 0 && norm > max_norm ? max_norm / (norm + 1e-6) : 1;
}

absl::Status Attempt::CountStep(const StepReport& report) {
  progress_.skipped.Count(report.finite);
  if (!report.finite)
    context_.reporter.Log("warn", fmt::format("step {} skipped: loss {}, gradient norm {}", progress_.step, report.loss,
                                              report.grad_norm));
  return CheckGoesOn(progress_.skipped, progress_.step);
}

absl::Status Attempt::ValidateIfDue() {
  const int64_t interval = recipe_.validation().interval();
  if (interval == 0 || progress_.step % interval != 0 || progress_.step == recipe_.training().steps())
    return absl::OkStatus();
  return Validate(model_.get(), *model_, data_, progress_.step, &context_).status();
}

RunResult Attempt::Stopped(StopRequest request) const {
  const bool cancel = request == StopRequest::kCancel;
  return {.outcome = cancel ? v1::STOPPED : v1::PREEMPTED,
          .detail = fmt::format("{} at step {}", cancel ? "cancelled" : "worker group asked to end", progress_.step)};
}

absl::StatusOr<RunResult> Attempt::Finish() {
  RETURN_IF_ERROR(CheckEnded(progress_.skipped, progress_.step));
  RunResult result{.outcome = v1::COMPLETED, .detail = fmt::format("{} steps", progress_.step)};
  if (progress_.skipped.total > 0)
    result.detail += fmt::format(", {} of them skipped: loss or gradient was not finite", progress_.skipped.total);
  strategy_.reset();  // Its memory is what a packed artifact is opened in.
  ASSIGN_OR_RETURN(Results left, LeaveResults(model_.get(), data_, progress_.step, &context_));
  result.point = std::move(left.point);
  result.artifacts = std::move(left.artifacts);
  return result;
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
