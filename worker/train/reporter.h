// SPDX-License-Identifier: Apache-2.0
// What rank 0 tells about a run: every step of short runs, evenly spaced ones of long runs, and what is going on
// between.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "comm/communicator.h"
#include "ridgeline/v1/recipe.pb.h"
#include "worker/train/run_observer.h"

namespace ridgeline {

// One optimizer step; loss, norm and divergence are reported where `finite`.
struct StepReport {
  bool finite = true;
  double loss = 0;       // Nats per token of the whole batch.
  double grad_norm = 0;  // Before clipping.
  std::optional<double> distill_divergence;
  double lr = 0;
  double forward_backward_seconds = 0, collective_seconds = 0, optimizer_seconds = 0, step_seconds = 0;
  CollectiveCounts collectives{};              // Of this rank in the step.
  std::optional<double> peak_ratio;            // Of the GPUs' peak arithmetic that the step reached.
  std::optional<int64_t> device_memory_bytes;  // The most that this rank's GPU has held for it.
};

// `step` counts the optimizer steps that are done. Without an observer, on ranks other than 0, all but LogOfRank is
// silent.
class Reporter {
 public:
  // Of long runs the step `stop_at_step` is reported, too: trials of a sweep are compared by it.
  Reporter(const v1::Recipe& recipe, int64_t stop_at_step, RunObserver* observer, int rank);

  // The training rate counts from here: after set-up, and after an evaluation, which is no part of it.
  void RestartRate(int64_t step);

  void Step(int64_t step, const StepReport& report);
  void Phase(int64_t step, const char* phase);
  void Metrics(int64_t step, v1::MetricPoint point);
  // What the ranks do together.
  void Log(const std::string& level, const std::string& text);
  // What this rank alone does or meets. Rank 0's goes out at once; the others' wait for PassLinesOn.
  void LogOfRank(const std::string& level, const std::string& text);
  // Called by every rank: the lines that wait become rank 0's to tell.
  absl::Status PassLinesOn(Communicator& communicator);

 private:
  const int64_t tokens_per_step_;
  const int64_t every_steps_;
  const int64_t stop_at_step_;
  RunObserver* const observer_;
  const int rank_;
  v1::LogBatch waiting_;
  std::chrono::steady_clock::time_point last_report_ = std::chrono::steady_clock::now();
  int64_t last_report_step_ = 0;
  CollectiveCounts collectives_{};  // Of all steps.
};

}  // namespace ridgeline
