// SPDX-License-Identifier: Apache-2.0
#include "worker/train/trainer.h"

#include <unistd.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "common/host.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/finite_weights.h"
#include "model/ops/cpu/matrix_product.h"
#include "plan/device.h"
#include "plan/network.h"
#include "plan/plan.h"
#include "quant/autograd/torch_pch.h"
#include "weights/model_store.h"
#include "worker/parallel/strategy.h"
#include "worker/train/attempt_checkpoints.h"
#include "worker/train/attempt_context.h"
#include "worker/train/collective_counts.h"
#include "worker/train/device_of_job.h"
#include "worker/train/exceptions.h"
#include "worker/train/input_scales.h"
#include "worker/train/memory_report.h"
#include "worker/train/model_from_recipe.h"
#include "worker/train/nonfinite.h"
#include "worker/train/results.h"
#include "worker/train/strategy_from_recipe.h"
#include "worker/train/training_data.h"
#include "worker/train/training_step.h"
#include "worker/train/validation.h"

namespace ridgeline {
namespace {

// While it lives, collectives have this time-out; 0: the one that they have.
class Timeout {
 public:
  Timeout(int64_t timeout_ms, Communicator& communicator)
      : communicator_(communicator), before_ms_(communicator.timeout_ms()) {
    if (timeout_ms > 0) communicator_.SetTimeout(timeout_ms);
  }
  ~Timeout() { communicator_.SetTimeout(before_ms_); }
  Timeout(const Timeout&) = delete;
  Timeout& operator=(const Timeout&) = delete;

 private:
  Communicator& communicator_;
  const int64_t before_ms_;
};

// The recipe's own, in all that a job does; 0: it has none.
int64_t TimeoutOf(const v1::Recipe& recipe) { return std::llround(recipe.recovery().hang_timeout() * 1e3); }

class Attempt {
 public:
  Attempt(const v1::Assign& assignment, Communicator& communicator, const RunOptions& options)
      : context_(assignment, communicator, options.work_dir, options.observer),
        recipe_(assignment.recipe()),
        groups_of_jobs_(options.groups != nullptr ? *options.groups : own_groups_),
        checkpoints_(&context_),
        step_timeout_ms_(TimeoutOf(recipe_) > 0 ? 0 : options.step_timeout_ms),
        rank_device_(options.device),
        device_(rank_device_.is_cuda ? at::Device(at::kCUDA, static_cast<at::DeviceIndex>(rank_device_.index))
                                     : at::Device(at::kCPU)),
        device_of_job_(device_, recipe_.training().deterministic()) {}

  absl::StatusOr<RunResult> Run();
  // Optimizer steps that are done.
  int64_t step() const { return progress_.step; }

 private:
  absl::Status SetUp();
  absl::Status SetUpThisRank(const std::string& checkpoint_folder);
  absl::Status CheckStart();
  absl::Status CheckFirstWeights();
  absl::Status BuildModels();
  void LogSetUp();
  void PlanStep();
  absl::StatusOr<StopRequest> Train();
  absl::StatusOr<TakenStep> Take(TrainingStep* step);
  absl::Status CountStep(const StepReport& report);
  absl::Status ValidateNow();
  absl::Status ValidateIfDue();
  RunResult Stopped(StopRequest request) const;
  absl::StatusOr<RunResult> Reach();
  absl::StatusOr<RunResult> Finish();

  // The assignment's, if it wants less than the recipe; else 0.
  int64_t EarlyStop() const {
    const int64_t stop = context_.assignment.stop_at_step();
    return stop > 0 && stop < recipe_.training().steps() ? stop : 0;
  }
  int64_t LastStep() const { return EarlyStop() > 0 ? EarlyStop() : recipe_.training().steps(); }

  AttemptContext context_;
  const v1::Recipe& recipe_;
  RankGroupsOfJobs own_groups_;
  RankGroupsOfJobs& groups_of_jobs_;
  AttemptCheckpoints checkpoints_;
  const int64_t step_timeout_ms_;
  const RankDevice rank_device_;
  const at::Device device_;
  const DeviceOfJob device_of_job_;
  TrainingData data_;
  const RankGroups* groups_ = nullptr;
  std::unique_ptr<LanguageModel> model_, teacher_model_;
  std::unique_ptr<Strategy> strategy_;
  SparsityPattern pattern_;  // The recipe's, which a schedule reaches in the end.
  double step_flops_ = 0, peak_flops_ = 0;
  Progress progress_;
};

absl::StatusOr<RunResult> Attempt::Run() {
  RETURN_IF_ERROR(SetUp());
  ASSIGN_OR_RETURN(const StopRequest stop, Train());
  if (stop != StopRequest::kNone) return Stopped(stop);
  return EarlyStop() > 0 ? Reach() : Finish();
}

absl::Status Attempt::SetUp() {
  context_.reporter.Phase(progress_.step, "starting");
  ASSIGN_OR_RETURN(groups_, AsIncompatible(groups_of_jobs_.Of(recipe_, context_.communicator)));
  ASSIGN_OR_RETURN(std::string folder, checkpoints_.Choose());
  RETURN_IF_ERROR(context_.Agree(ConvertExceptions([&] { return SetUpThisRank(folder); }), "set-up"));
  RETURN_IF_ERROR(CheckStart());
  LogSetUp();
  PlanStep();
  if (progress_.step == 0) {
    const at::Tensor inputs = ToDevice(BatchOf(data_, recipe_.training(), 0, {0, 1}).first, model_->options().device);
    RETURN_IF_ERROR(SetInputScales(model_.get(), inputs, context_.communicator));
  }
  // Where a pretrained model begins once it is quantized is what training has to make good.
  if (progress_.step == 0 && recipe_.model().has_path() && recipe_.validation().interval() > 0) return ValidateNow();
  return absl::OkStatus();
}

absl::Status Attempt::CheckFirstWeights() {
  if (progress_.step > 0) return CheckFiniteWeights(*model_, "the checkpoint");
  if (!recipe_.model().has_path()) return CheckFiniteWeights(*model_, ModelLabel(recipe_));
  ASSIGN_OR_RETURN(const std::string path, ResolveModelPath(recipe_.model().path()));
  return CheckFiniteFiles(*model_, path);
}

// Every rank looks at its own copy: its message is the job's reason, and begins as such.
absl::Status Attempt::CheckStart() {
  const absl::Status mine = CheckFirstWeights();
  const absl::Status all = context_.Agree(mine, "look at the first weights");
  return mine.ok() ? all : mine;
}

absl::Status Attempt::SetUpThisRank(const std::string& checkpoint_folder) {
  context_.reporter.LogOfRank(
      "info", fmt::format("rank {} of {}: process {} on {}, {} threads", context_.communicator.rank(),
                          context_.communicator.size(), getpid(), HostName(), at::get_num_threads()) +
                  (rank_device_.is_cuda ? fmt::format(", GPU {}: {}", rank_device_.index, rank_device_.name) : ""));
  ASSIGN_OR_RETURN(data_, OpenTrainingData(recipe_, context_.is_root(), &context_.reporter));
  RETURN_IF_ERROR(BuildModels());
  if (recipe_.training().dtype() == "bfloat16" && device_.is_cpu() && !HasBfloat16Products())
    context_.reporter.LogOfRank(
        "warn",
        "this CPU has no bfloat16 instructions: products are computed in float32, with conversions; "
        "training.dtype: float32 is faster here");
  ASSIGN_OR_RETURN(progress_, checkpoints_.Resume(checkpoint_folder, pattern_, strategy_.get()));
  return absl::OkStatus();
}

absl::Status Attempt::BuildModels() {
  ASSIGN_OR_RETURN(
      model_,
      ModelFromRecipe(recipe_, data_.dataset->info().vocab_size,
                      {.shard_rank = groups_->shard_rank(), .shard_ranks = groups_->shard_ranks(), .device = device_}));
  ASSIGN_OR_RETURN(pattern_, AsIncompatible(ParseSparsityPattern(recipe_.sparsity().pattern())));
  if (recipe_.training().distill().weight() > 0) {
    ASSIGN_OR_RETURN(teacher_model_, TeacherFromRecipe(recipe_, device_));
  }
  strategy_ = StrategyFromRecipe(recipe_, model_.get(), TrainingStep::kExtras, *groups_, context_.communicator);
  return absl::OkStatus();
}

void Attempt::LogSetUp() {
  const int64_t ranks = context_.communicator.size(), copies = ranks / groups_->shard_ranks();
  const std::string sharing =
      groups_->shard_ranks() > 1
          ? fmt::format(" that share {}", copies == 1 ? "it" : fmt::format("{} copies of it", copies))
          : "";
  const std::string size = fmt::format("{} on {} ranks{}: {}, vocabulary {}", ModelLabel(recipe_), ranks, sharing,
                                       model_->Summary(), model_->vocab_size());
  context_.reporter.Log("info", fmt::format("{}, {} training tokens, starts at step {} of {}", size,
                                            data_.dataset->train().size(), progress_.step, recipe_.training().steps()));
  context_.reporter.Log(
      "info", fmt::format("{} of {} linear layers are quantized or pruned; the embedding, which is the head, {}; "
                          "norms and biases are not",
                          model_->QuantizedNames().size(), model_->LinearNames().size(),
                          model_->head().quantizer.spec.quantizes()
                              ? fmt::format("is {}", FormatName(model_->head().quantizer.spec.format))
                              : "is not"));
}

// Says what memory is for, and keeps what a step computes, to say how much of a GPU's peak it reaches.
void Attempt::PlanStep() {
  absl::StatusOr<Device> device = FindDevice("cpu");
  const Device* gpu = rank_device_.is_cuda ? FindGpuOfDriver(rank_device_.name) : nullptr;
  // A part of a GPU has a part of its peak, which is not known.
  if (gpu != nullptr && !rank_device_.is_partition) device = *gpu;
  const absl::StatusOr<Plan> plan = PlanJob(recipe_, model_->vocab_size(), context_.communicator.size(), *device);
  if (!plan.ok())
    return context_.reporter.Log("warn", fmt::format("no plan: {}", std::string(plan.status().message())));
  context_.reporter.Log("info", MemoryLine(KeptMemoryOf(*model_, *strategy_, teacher_model_.get()), plan->memory));
  step_flops_ = plan->work.flops;
  peak_flops_ = recipe_.training().dtype() == "bfloat16" ? device->bfloat16_flops : device->float32_flops;
}

// To the last step that is wanted, or to the one after which the run was asked to end.
absl::StatusOr<StopRequest> Attempt::Train() {
  TrainingStep step({.model = model_.get(),
                     .teacher = teacher_model_.get(),
                     .strategy = strategy_.get(),
                     .saving = &checkpoints_.saving(),
                     .data = &data_,
                     .flops = step_flops_,
                     .peak_flops = peak_flops_,
                     .pattern = pattern_},
                    &context_);
  context_.reporter.RestartRate(progress_.step);
  while (progress_.step < LastStep()) {
    ASSIGN_OR_RETURN(const TakenStep taken, Take(&step));
    RETURN_IF_ERROR(CountStep(taken.report));
    if (taken.stop == StopRequest::kCancel) {
      RETURN_IF_ERROR(checkpoints_.saving().GiveUp());
      return taken.stop;
    }
    RETURN_IF_ERROR(checkpoints_.saving().Proceed(taken.saving));
    const bool ends = taken.stop == StopRequest::kPreempt;
    if (!ends) RETURN_IF_ERROR(ValidateIfDue());
    RETURN_IF_ERROR(checkpoints_.WriteIfDue(progress_, /*force=*/ends, *strategy_));
    if (ends) return taken.stop;
  }
  RETURN_IF_ERROR(checkpoints_.saving().Finish());
  return StopRequest::kNone;
}

absl::StatusOr<TakenStep> Attempt::Take(TrainingStep* step) {
  const Timeout timeout(step_timeout_ms_, context_.communicator);
  const CollectiveCounts before = context_.communicator.counts();
  ASSIGN_OR_RETURN(TakenStep taken, step->Take(progress_.step));
  taken.report.collectives = CountsSince(before, context_.communicator.counts());
  return taken;
}

absl::Status Attempt::CountStep(const StepReport& report) {
  context_.reporter.Step(++progress_.step, report);
  progress_.skipped.Count(report.finite);
  if (!report.finite)
    context_.reporter.Log("warn", fmt::format("step {} skipped: loss {}, gradient norm {}", progress_.step, report.loss,
                                              report.grad_norm));
  return CheckGoesOn(progress_.skipped, progress_.step);
}

absl::Status Attempt::ValidateNow() {
  ASSIGN_OR_RETURN(const double error_ratio, strategy_->WeightErrorRatio());
  ASSIGN_OR_RETURN(const Validation validation, Validate(model_.get(), error_ratio, data_, progress_.step, &context_));
  checkpoints_.Validated(progress_.step, validation.first.loss);
  return absl::OkStatus();
}

absl::Status Attempt::ValidateIfDue() {
  const int64_t interval = recipe_.validation().interval();
  const bool is_due = interval > 0 && progress_.step % interval == 0 && progress_.step != recipe_.training().steps();
  return is_due || progress_.step == EarlyStop() ? ValidateNow() : absl::OkStatus();
}

RunResult Attempt::Stopped(StopRequest request) const {
  const bool cancel = request == StopRequest::kCancel;
  return {.outcome = cancel ? v1::STOPPED : v1::PREEMPTED,
          .detail = fmt::format("{} at step {}", cancel ? "cancelled" : "asked to end", progress_.step)};
}

// An earlier attempt may have come so far already, and not been heard.
absl::StatusOr<RunResult> Attempt::Reach() {
  if (!checkpoints_.was_validated_at(progress_.step)) RETURN_IF_ERROR(ValidateNow());
  RETURN_IF_ERROR(checkpoints_.WriteIfDue(progress_, /*force=*/true, *strategy_));
  return RunResult{.outcome = v1::REACHED, .detail = fmt::format("reached step {}", progress_.step)};
}

absl::StatusOr<RunResult> Attempt::Finish() {
  RETURN_IF_ERROR(CheckEnded(progress_.skipped, progress_.step));
  RunResult result{.outcome = v1::COMPLETED, .detail = fmt::format("{} steps", progress_.step)};
  if (progress_.skipped.total > 0)
    result.detail += fmt::format(", {} of them skipped: loss or gradient was not finite", progress_.skipped.total);
  ASSIGN_OR_RETURN(Results left, LeaveResults(model_.get(), std::move(strategy_), data_, progress_.step, &context_));
  result.point = std::move(left.point);
  result.artifacts = std::move(left.artifacts);
  return result;
}

// Which rank hangs, and in which collective, is in the message.
absl::Status AfterStep(int64_t step, const absl::Status& status) {
  if (!absl::IsDeadlineExceeded(status)) return status;
  return absl::DeadlineExceededError(fmt::format("after step {}: {}", step, std::string(status.message())));
}

}  // namespace

absl::StatusOr<RunResult> RunAttempt(const v1::Assign& assignment, Communicator& communicator,
                                     const RunOptions& options) {
  const Timeout timeout(TimeoutOf(assignment.recipe()), communicator);
  absl::StatusOr<RunResult> result = absl::UnknownError("the run did not begin");
  absl::Status thrown = ConvertExceptions([&] {
    Attempt attempt(assignment, communicator, options);
    result = attempt.Run();
    if (!result.ok()) result = AfterStep(attempt.step(), result.status());
    return absl::OkStatus();
  });
  if (!thrown.ok()) return thrown;
  return result;
}

}  // namespace ridgeline
