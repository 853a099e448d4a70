// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <optional>

#include "fmt/format.h"
#include "plan/plan.h"
#include "tests/gpu/trainings.h"

namespace ridgeline {
namespace {

constexpr double kMebibyte = 1 << 20;

struct Pace {
  double step_seconds = 0, tokens_per_second = 0;
  std::optional<double> peak_ratio;
  int64_t memory_bytes = 0;
};

// Median of the steps after the first two, which make caches.
Pace PaceOf(const Trainings& trainings, const v1::Assign& assignment) {
  std::vector<v1::MetricPoint> points = trainings.Train(assignment, trainings.device());
  if (points.empty()) return {};
  points.erase(points.begin(), points.begin() + std::min<ptrdiff_t>(2, std::ssize(points) - 1));
  std::sort(points.begin(), points.end(),
            [](const auto& a, const auto& b) { return a.step_seconds() < b.step_seconds(); });
  const v1::MetricPoint& median = points[points.size() / 2];
  const v1::Training& training = assignment.recipe().training();
  Pace pace{.step_seconds = median.step_seconds()};
  pace.tokens_per_second = training.global_batch_size() * training.seq_len() / pace.step_seconds;
  if (median.has_peak_ratio()) pace.peak_ratio = median.peak_ratio();
  for (const v1::MetricPoint& point : points)
    pace.memory_bytes = std::max(pace.memory_bytes, point.device_memory_bytes());
  return pace;
}

struct Steps {
  const char* model;
  const char* batch;
  const char* seq_len = "1024";
  const char* steps = "12";
};
constexpr Steps kLarge = {"gemma3-1b", "8"}, kMiddle = {"gemma3-270m", "16"}, kSmall = {"gpt-nano", "1", "32", "4"};

Changes ChangesOf(const Steps& of, const std::string& quantizers) {
  Changes changes = {{"model.name", of.model},
                     {"training.dtype", "bfloat16"},
                     {"training.seq_len", of.seq_len},
                     {"training.global_batch_size", of.batch},
                     {"training.steps", of.steps}};
  const Changes more = Trainings::Quantizers(quantizers);
  changes.insert(changes.end(), more.begin(), more.end());
  return changes;
}

void AddMemory(const v1::Recipe& recipe, int64_t memory_bytes, nlohmann::ordered_json* figures) {
  const absl::StatusOr<Plan> plan = PlanJob(recipe, /*vocab_size=*/64, /*ranks=*/1, *FindDevice("h100"));
  if (!plan.ok() || memory_bytes == 0) return;
  (*figures)["memory_mib"] = std::round(static_cast<double>(memory_bytes) / kMebibyte);
  (*figures)["planned_mib"] = std::round(static_cast<double>(plan->memory.peak_bytes()) / kMebibyte);
}

}  // namespace

void CheckSteps(const Trainings& trainings, bool small, Checks* checks) {
  for (const Steps& of : small ? std::vector<Steps>{kSmall} : std::vector<Steps>{kMiddle, kLarge})
    checks->Run(fmt::format("steps of {} in bfloat16", of.model), [&](nlohmann::ordered_json& figures) {
      const v1::Assign assignment = trainings.Assignment(ChangesOf(of, "none"));
      const Pace pace = PaceOf(trainings, assignment);
      figures["tokens_per_second"] = std::round(pace.tokens_per_second);
      if (pace.peak_ratio) figures["peak_ratio"] = *pace.peak_ratio;
      AddMemory(assignment.recipe(), pace.memory_bytes, &figures);
      return pace.tokens_per_second > 0;
    });
}

// How many times as long a step takes with quantizers as without.
void CheckTax(const Trainings& trainings, bool small, Checks* checks) {
  const Steps& of = small ? kSmall : kMiddle;
  const double plain = PaceOf(trainings, trainings.Assignment(ChangesOf(of, "none"))).step_seconds;
  for (const char* quantizers : {"a4w4", "a1w1"})
    checks->Run(fmt::format("tax of {} on {}", quantizers, of.model), [&](nlohmann::ordered_json& figures) {
      const v1::Assign assignment = trainings.Assignment(ChangesOf(of, quantizers));
      const Pace pace = PaceOf(trainings, assignment);
      figures["tax"] = pace.step_seconds / plain;
      figures["tokens_per_second"] = std::round(pace.tokens_per_second);
      AddMemory(assignment.recipe(), pace.memory_bytes, &figures);
      return plain > 0 && pace.step_seconds > 0;
    });
}

}  // namespace ridgeline
