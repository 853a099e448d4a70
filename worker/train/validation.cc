// SPDX-License-Identifier: Apache-2.0
#include "worker/train/validation.h"

#include <cmath>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "worker/train/nonfinite.h"

namespace ridgeline {
namespace {

absl::StatusOr<Evaluation> EvaluateOn(const Dataset& dataset, LanguageModel* model, const WindowOptions& window,
                                      AttemptContext* context) {
  const absl::StatusOr<ScoredShare> share = ScoreShare(
      model, dataset.validation(), window, context->recipe().validation().sequences(), context->communicator);
  if (absl::IsDeadlineExceeded(share.status())) return share.status();  // Ranks cannot agree on anything any more.
  RETURN_IF_ERROR(context->Agree(share.status(), "evaluation"));
  return SumOfShares(*share, context->communicator);
}

// A number that is not finite is no measurement: the log has it alone.
void Report(const Validation& validation, double error_ratio, int64_t step, AttemptContext* context) {
  v1::MetricPoint point;
  point.set_phase("training");
  std::string text = fmt::format("step {}: held-out loss {:.4f}, accuracy {:.2f}% over {} tokens", step,
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
  if (std::isfinite(error_ratio)) point.set_quant_error_ratio(error_ratio);
  context->reporter.Metrics(step, std::move(point));
  context->reporter.Log(CheckFinite(validation, step).ok() ? "info" : "warn", text);
}

}  // namespace

absl::StatusOr<Validation> Validate(LanguageModel* scored, double error_ratio, const TrainingData& data, int64_t step,
                                    AttemptContext* context) {
  context->reporter.Phase(step, "evaluating");
  Validation result;
  ASSIGN_OR_RETURN(result.first, EvaluateOn(*data.dataset, scored, data.window, context));
  if (data.second != nullptr) {
    ASSIGN_OR_RETURN(result.second, EvaluateOn(*data.second, scored, data.window, context));
  }
  Report(result, error_ratio, step, context);
  context->reporter.RestartRate(step);
  return result;
}

absl::Status CheckFinite(const Validation& validation, int64_t step) {
  RETURN_IF_ERROR(CheckFinite(validation.first, "the held-out text", step));
  return validation.second ? CheckFinite(*validation.second, "the second text", step) : absl::OkStatus();
}

}  // namespace ridgeline
