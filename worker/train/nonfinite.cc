// SPDX-License-Identifier: Apache-2.0
#include "worker/train/nonfinite.h"

#include <cmath>

#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr int64_t kMaxSkippedInARow = 20;

constexpr char kRemedy[] =
    "lower optimizer.lr or training.max_norm, or raise quant.lambda (which helps estimator ridge), and start again";

}  // namespace

void SkippedSteps::Count(bool finite) {
  in_a_row = finite ? 0 : in_a_row + 1;
  if (!finite) ++total;
}

absl::Status CheckGoesOn(const SkippedSteps& skipped, int64_t step) {
  if (skipped.in_a_row < kMaxSkippedInARow) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("NONFINITE: {} steps in a row up to step {} had no finite loss or gradient; {}", skipped.in_a_row,
                  step, kRemedy));
}

absl::Status CheckEnded(const SkippedSteps& skipped, int64_t step) {
  if (skipped.in_a_row == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "NONFINITE: the run ends at step {} with {} steps in a row that had no finite loss or gradient; {}{}", step,
      skipped.in_a_row, kRemedy,
      skipped.in_a_row < step ? fmt::format("; training.steps: {} ends before them", step - skipped.in_a_row) : ""));
}

absl::Status CheckFinite(const Evaluation& evaluation, const char* text, int64_t step) {
  if (std::isfinite(evaluation.loss)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("NONFINITE: the loss on {} is {} after step {}; {}", text, evaluation.loss, step, kRemedy));
}

}  // namespace ridgeline
