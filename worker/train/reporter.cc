// SPDX-License-Identifier: Apache-2.0
#include "worker/train/reporter.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "worker/train/collective_counts.h"

namespace ridgeline {
namespace {

// Every step is reported in runs up to this long; longer runs report as many, evenly.
constexpr int64_t kReportedSteps = 1000;
constexpr double kReportAtLeastEverySeconds = 1.0;

constexpr int kMaxWaitingLines = 1000;

v1::LogLine LineOf(int rank, const std::string& level, const std::string& text) {
  v1::LogLine line;
  line.set_time_unix_ms(SystemClock().WallUnixMs());
  line.set_rank(rank);
  line.set_level(level);
  line.set_text(ToValidUtf8(text));
  return line;
}

v1::MetricPoint PointOf(const StepReport& report) {
  v1::MetricPoint point;
  point.set_phase("training");
  if (report.finite) {
    point.set_train_loss(report.loss);
    point.set_grad_norm(report.grad_norm);
    if (report.distill_divergence) point.set_distill_divergence(*report.distill_divergence);
  } else {
    point.set_nonfinite(true);
  }
  point.set_lr(report.lr);
  point.set_step_seconds(report.step_seconds);
  point.set_forward_backward_seconds(report.forward_backward_seconds);
  point.set_collective_seconds(report.collective_seconds);
  point.set_optimizer_seconds(report.optimizer_seconds);
  if (report.peak_ratio) point.set_peak_ratio(std::min(*report.peak_ratio, 1.0));
  if (report.device_memory_bytes) point.set_device_memory_bytes(*report.device_memory_bytes);
  return point;
}

}  // namespace

Reporter::Reporter(const v1::Recipe& recipe, int64_t stop_at_step, RunObserver* observer, int rank)
    : tokens_per_step_(int64_t{recipe.training().global_batch_size()} * recipe.training().seq_len()),
      every_steps_((recipe.training().steps() + kReportedSteps - 1) / kReportedSteps),
      stop_at_step_(stop_at_step),
      observer_(observer),
      rank_(rank) {}

void Reporter::RestartRate(int64_t step) {
  last_report_ = std::chrono::steady_clock::now();
  last_report_step_ = step;
}

void Reporter::Step(int64_t step, const StepReport& report) {
  AddCounts(report.collectives, &collectives_);
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - last_report_).count();
  const bool is_due = step % every_steps_ == 0 || step == stop_at_step_;
  if (!is_due && elapsed < kReportAtLeastEverySeconds && report.finite) return;
  v1::MetricPoint point = PointOf(report);
  *point.mutable_collectives() = CountsMessage(collectives_);
  if (elapsed > 0)
    point.set_tokens_per_second(static_cast<double>((step - last_report_step_) * tokens_per_step_) / elapsed);
  RestartRate(step);
  Metrics(step, std::move(point));
}

void Reporter::Phase(int64_t step, const char* phase) {
  v1::MetricPoint point;
  point.set_phase(phase);
  Metrics(step, std::move(point));
}

void Reporter::Metrics(int64_t step, v1::MetricPoint point) {
  if (observer_ == nullptr) return;
  point.set_step(step);
  point.set_tokens(step * tokens_per_step_);
  point.set_time_unix_ms(SystemClock().WallUnixMs());
  observer_->OnMetrics(point);
}

void Reporter::Log(const std::string& level, const std::string& text) {
  if (observer_ != nullptr) observer_->OnLog(LineOf(rank_, level, text));
}

void Reporter::LogOfRank(const std::string& level, const std::string& text) {
  if (observer_ != nullptr) return Log(level, text);
  if (waiting_.lines_size() < kMaxWaitingLines) *waiting_.add_lines() = LineOf(rank_, level, text);
}

absl::Status Reporter::PassLinesOn(Communicator& communicator) {
  std::vector<std::string> by_rank;
  RETURN_IF_ERROR(communicator.GatherToRoot(waiting_.SerializeAsString(), &by_rank, "log lines"));
  waiting_.Clear();
  for (const std::string& bytes : by_rank) {
    v1::LogBatch batch;
    batch.ParseFromString(bytes);
    for (const v1::LogLine& line : batch.lines())
      if (observer_ != nullptr) observer_->OnLog(line);
  }
  return absl::OkStatus();
}

}  // namespace ridgeline
