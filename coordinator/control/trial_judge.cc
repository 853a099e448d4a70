// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/trial_judge.h"

#include <spdlog/spdlog.h>

#include <set>

#include "recipes/asha_rungs.h"

namespace ridgeline {
namespace {

std::optional<double> MetricOf(const v1::MetricPoint& point, const std::string& metric) {
  const auto* field = v1::MetricPoint::descriptor()->FindFieldByName(metric);
  const auto* reflection = point.GetReflection();
  if (field == nullptr || !reflection->HasField(point, field)) return std::nullopt;
  const double value = reflection->GetDouble(point, field);
  return IsLargerBetter(metric) ? -value : value;
}

// Rungs behind it, and the one at which it waits.
size_t RungsCameTo(const v1::Job& job, size_t rungs) {
  const size_t behind = std::min(static_cast<size_t>(job.rung()), rungs);
  return WaitsAtRung(job) || WasStoppedEarly(job) ? std::min(behind + 1, rungs) : behind;
}

}  // namespace

std::vector<TrialJudge::Sweep> TrialJudge::SweepsThatWait() const {
  return journal_->Read([](const CoordinatorState& state) {
    std::set<std::string> parents;
    for (const v1::Job* trial : state.TrialsAtRungs()) parents.insert(trial->parent_id());
    std::vector<Sweep> sweeps;
    for (const std::string& parent_id : parents) {
      const v1::Job* parent = state.FindById(parent_id);
      if (parent == nullptr || parent->recipe().sweep().method() != "asha") continue;
      Sweep& sweep = sweeps.emplace_back();
      const v1::Recipe& recipe = parent->recipe();
      sweep.rules = {AshaRungs(recipe), recipe.training().steps(), recipe.sweep().reduction()};
      sweep.metric = recipe.sweep().metric();
      for (const std::string& child_id : parent->child_ids()) {
        const v1::Job& child = *state.FindById(child_id);
        sweep.trials.push_back({.job_id = child_id, .waits = WaitsAtRung(child), .ended = IsTerminal(child.state())});
        sweep.came_to.push_back(RungsCameTo(child, sweep.rules.rungs.size()));
      }
    }
    return sweeps;
  });
}

std::optional<double> TrialJudge::ScoreAt(const std::string& job_id, int64_t step, const std::string& metric) {
  const auto key = std::make_pair(job_id, step);
  if (const auto found = scores_.find(key); found != scores_.end()) return found->second;
  const absl::StatusOr<std::vector<v1::MetricPoint>> points = store_->ReadMetrics(job_id, step - 1, 1);
  std::optional<double> score;
  if (points.ok() && !points->empty() && points->front().step() == step) score = MetricOf(points->front(), metric);
  if (!score.has_value()) spdlog::warn("{} has no {} at step {}; it counts as the worst trial", job_id, metric, step);
  scores_[key] = score;
  return score;
}

void TrialJudge::FillScores(Sweep* sweep) {
  for (size_t i = 0; i < sweep->trials.size(); ++i) {
    Trial& trial = sweep->trials[i];
    for (size_t rung = 0; rung < sweep->came_to[i]; ++rung)
      trial.scores.push_back(ScoreAt(trial.job_id, sweep->rules.rungs[rung], sweep->metric));
  }
}

void TrialJudge::Judge() {
  for (Sweep& sweep : SweepsThatWait()) {
    FillScores(&sweep);
    v1::Event event;
    for (v1::TrialsDecided::Decision& decision : DecideTrials(sweep.rules, sweep.trials)) {
      spdlog::info("{}: {}", decision.job_id(), decision.reason());
      *event.mutable_trials_decided()->add_decisions() = std::move(decision);
    }
    if (event.trials_decided().decisions().empty()) continue;
    const absl::Status status = journal_->Commit(event);  // What was cancelled meanwhile is decided anew next time.
    if (!status.ok()) spdlog::warn("trials were not decided: {}", std::string(status.message()));
  }
}

}  // namespace ridgeline
