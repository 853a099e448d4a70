// SPDX-License-Identifier: Apache-2.0
#include "worker/train/training_step.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "common/memory.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/training_pass.h"
#include "plan/network.h"
#include "quant/autograd/torch_pch.h"
#include "worker/train/device_of_job.h"
#include "worker/train/exceptions.h"
#include "worker/train/schedule.h"

namespace ridgeline {
namespace {

enum Extra : size_t {
  kLossSum,
  kDivergenceSum,
  kStopRequest,
  kFailedRanks,
  kOthersMebibytes,
  kRanksThatSaved,
  kRanksThatFailedToSave,
  kExtraCount
};
static_assert(kExtraCount == TrainingStep::kExtras);

constexpr float kMebibyte = 1 << 20;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

absl::StatusOr<TakenStep> TrainingStep::Take(int64_t step) {
  const auto start = std::chrono::steady_clock::now();
  context_.communicator.SetStep(fmt::format("step {}", step + 1));
  const absl::Status computed = ForwardBackward(step);
  TakenStep taken;
  StepReport& report = taken.report;
  report.forward_backward_seconds = SecondsSince(start);
  SetExtras(computed);
  RETURN_IF_ERROR(parts_.strategy->ReduceGradients());
  report.collective_seconds = SecondsSince(start) - report.forward_backward_seconds;
  ASSIGN_OR_RETURN(const StepSums step_sums, parts_.strategy->PassThroughQuantizers());
  const std::vector<float>& sums = step_sums.extras;
  if (sums[kFailedRanks] > 0) return context_.Agree(computed, "training step");
  if (context_.observer != nullptr)
    context_.observer->OnOthersMemory(static_cast<int64_t>(sums[kOthersMebibytes] * kMebibyte));
  taken.stop = static_cast<StopRequest>(static_cast<int>(sums[kStopRequest]));
  taken.saving = {.ended = sums[kRanksThatSaved], .failed = sums[kRanksThatFailedToSave]};
  report.loss = sums[kLossSum];
  if (parts_.teacher != nullptr) report.distill_divergence = sums[kDivergenceSum];
  report.grad_norm = step_sums.gradient_norm;
  Update(step, &report);
  report.step_seconds = SecondsSince(start);
  report.optimizer_seconds = report.step_seconds - report.forward_backward_seconds - report.collective_seconds;
  if (parts_.flops > 0 && parts_.peak_flops > 0)
    report.peak_ratio = parts_.flops / (report.step_seconds * parts_.peak_flops);
  report.device_memory_bytes = PeakDeviceMemory(parts_.model->options().device);
  return taken;
}

// Adds this rank's share of the batch to gradients and loss sum, divided by the whole batch's tokens. Every rank makes
// as many passes as the one with most sequences, whatever fails: those it shares the model with wait for it in each.
absl::Status TrainingStep::ForwardBackward(int64_t step) {
  const v1::Training& training = context_.recipe().training();
  const int64_t ranks = context_.communicator.size();
  const Share share = ShareOfRank(training.global_batch_size(), context_.communicator.rank(), ranks);
  const BatchSplit split = SplitBatch(training, ranks);
  absl::Status status = ConvertExceptions([&] {
    parts_.strategy->SetSparsity(SparsityAt(context_.recipe(), parts_.pattern, step));
    parts_.strategy->ClearGradients();
    return absl::OkStatus();
  });
  for (int64_t passed = 0; passed < split.sequences_per_rank; passed += split.sequences_per_pass) {
    const int64_t begin = share.begin + passed;
    if (!status.ok() || begin >= share.end) {
      PassWithoutTokens(parts_.model);
      continue;
    }
    status = ConvertExceptions([&] {
      AddMicroBatch(step, {begin, std::min(begin + split.sequences_per_pass, share.end)});
      parts_.strategy->EndPass();
      return absl::OkStatus();
    });
  }
  return status;
}

void TrainingStep::AddMicroBatch(int64_t step, Share share) {
  const v1::Training& training = context_.recipe().training();
  const auto [inputs, targets] = BatchOf(*parts_.data, training, step, share);
  const double scale = 1 / static_cast<double>(context_.tokens_per_step());
  const Teacher teacher{
      .model = parts_.teacher, .weight = training.distill().weight(), .temperature = training.distill().temperature()};
  const at::Device device = parts_.model->options().device;
  const HeadSums sums =
      AccumulateGradients(parts_.model, ToDevice(inputs, device), ToDevice(targets, device), scale, teacher);
  const at::Tensor scaled = sums.values * scale;
  parts_.strategy->AddToExtra(kLossSum, scaled[0]);
  parts_.strategy->AddToExtra(kDivergenceSum, scaled[2]);
}

void TrainingStep::SetExtras(const absl::Status& computed) {
  auto set = [this](Extra place, float value) { parts_.strategy->AddToExtra(place, value); };
  if (!computed.ok()) set(kFailedRanks, 1);
  const SavingCount saving = parts_.saving->Count();
  set(kRanksThatSaved, saving.ended);
  set(kRanksThatFailedToSave, saving.failed);
  if (context_.observer != nullptr)
    set(kStopRequest, static_cast<float>(context_.observer->PollStop()));
  else
    set(kOthersMebibytes, static_cast<float>(ResidentBytes()) / kMebibyte);
}

void TrainingStep::Update(int64_t step, StepReport* report) {
  report->finite = std::isfinite(report->loss) && std::isfinite(report->grad_norm);
  report->lr = LearningRateAt(context_.recipe(), step);
  if (report->finite) parts_.strategy->Step(report->lr, ClippingFactor(report->grad_norm));
}

// What gradients are multiplied with so that their norm is at most training.max_norm.
double TrainingStep::ClippingFactor(double norm) const {
  const double max_norm = context_.recipe().training().max_norm();
  return max_norm > 0 && norm > max_norm ? max_norm / (norm + 1e-6) : 1;
}

}  // namespace ridgeline
