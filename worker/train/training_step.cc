// SPDX-License-Identifier: Apache-2.0
#include "worker/train/training_step.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <span>

#include "common/memory.h"
#include "common/status_macros.h"
#include "model/training_pass.h"
#include "quant/autograd/torch_pch.h"
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
  const absl::Status computed = ConvertExceptions([&] {
    ForwardBackward(step);
    return absl::OkStatus();
  });
  TakenStep taken;
  StepReport& report = taken.report;
  report.forward_backward_seconds = SecondsSince(start);
  SetExtras(computed);
  RETURN_IF_ERROR(parts_.strategy->ReduceGradients());
  const std::span<const float> sums = parts_.strategy->extras();
  if (sums[kFailedRanks] > 0) return context_.Agree(computed, "training step");
  report.collective_seconds = SecondsSince(start) - report.forward_backward_seconds;
  if (context_.observer != nullptr)
    context_.observer->OnOthersMemory(static_cast<int64_t>(sums[kOthersMebibytes] * kMebibyte));
  taken.stop = static_cast<StopRequest>(static_cast<int>(sums[kStopRequest]));
  taken.saving = {.ended = sums[kRanksThatSaved], .failed = sums[kRanksThatFailedToSave]};
  report.loss = sums[kLossSum];
  if (parts_.teacher != nullptr) report.distill_divergence = sums[kDivergenceSum];
  Update(step, &report);
  report.step_seconds = SecondsSince(start);
  report.optimizer_seconds = report.step_seconds - report.forward_backward_seconds - report.collective_seconds;
  return taken;
}

// Adds this rank's share of the batch to gradients and loss sum, divided by the whole batch's tokens.
void TrainingStep::ForwardBackward(int64_t step) {
  parts_.strategy->SetSparsity(SparsityAt(context_.recipe(), parts_.pattern, step));
  parts_.strategy->ClearGradients();
  const v1::Training& training = context_.recipe().training();
  const Share share =
      ShareOfRank(training.global_batch_size(), context_.communicator.rank(), context_.communicator.size());
  const int64_t local = training.local_batch_size() > 0 ? training.local_batch_size() : share.end - share.begin;
  for (int64_t begin = share.begin; begin < share.end; begin += local)
    AddMicroBatch(step, {begin, std::min(begin + local, share.end)});
}

void TrainingStep::AddMicroBatch(int64_t step, Share share) {
  const v1::Training& training = context_.recipe().training();
  const auto [inputs, targets] = BatchOf(*parts_.data, training, step, share);
  const double scale = 1 / static_cast<double>(context_.tokens_per_step());
  const Teacher teacher{
      .model = parts_.teacher, .weight = training.distill().weight(), .temperature = training.distill().temperature()};
  const PassResult result = AccumulateGradients(parts_.model, inputs, targets, scale, teacher);
  const std::span<float> extras = parts_.strategy->extras();
  extras[kLossSum] += static_cast<float>(result.score.loss * scale);
  extras[kDivergenceSum] += static_cast<float>(result.divergence * scale);
}

void TrainingStep::SetExtras(const absl::Status& computed) {
  const std::span<float> extras = parts_.strategy->extras();
  if (!computed.ok()) extras[kFailedRanks] = 1;
  const SavingCount saving = parts_.saving->Count();
  extras[kRanksThatSaved] = saving.ended;
  extras[kRanksThatFailedToSave] = saving.failed;
  if (context_.observer != nullptr)
    extras[kStopRequest] = static_cast<float>(context_.observer->PollStop());
  else
    extras[kOthersMebibytes] = static_cast<float>(ResidentBytes()) / kMebibyte;
}

void TrainingStep::Update(int64_t step, StepReport* report) {
  report->grad_norm = parts_.strategy->PassThroughQuantizers();
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
