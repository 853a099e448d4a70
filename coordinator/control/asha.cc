// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/asha.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ridgeline {
namespace {

bool CameTo(const Trial& trial, size_t rung) { return trial.scores.size() > rung; }

bool IsBetter(const std::optional<double>& a, const std::optional<double>& b) {
  const auto usable = [](const std::optional<double>& score) { return score.has_value() && std::isfinite(*score); };
  if (!usable(a) || !usable(b)) return usable(a) && !usable(b);
  return *a < *b;
}

// How many of those that came to the rung are before it.
size_t RankOf(size_t trial, size_t rung, const std::vector<Trial>& trials) {
  size_t before = 0;
  for (size_t other = 0; other < trials.size(); ++other) {
    if (other == trial || !CameTo(trials[other], rung)) continue;
    const bool better = IsBetter(trials[other].scores[rung], trials[trial].scores[rung]);
    const bool equal = !better && !IsBetter(trials[trial].scores[rung], trials[other].scores[rung]);
    if (better || (equal && other < trial)) ++before;
  }
  return before;
}

std::string ScoreText(const std::optional<double>& score) {
  return score.has_value() ? fmt::format("{:.4f}", std::abs(*score)) : std::string("not measured");
}

}  // namespace

std::vector<v1::TrialsDecided::Decision> DecideTrials(const AshaRules& rules, const std::vector<Trial>& trials) {
  std::vector<v1::TrialsDecided::Decision> decisions;
  for (size_t i = 0; i < trials.size(); ++i) {
    const Trial& trial = trials[i];
    if (!trial.waits || trial.scores.empty() || trial.scores.size() > rules.rungs.size()) continue;
    const size_t rung = trial.scores.size() - 1;
    const auto came = static_cast<size_t>(
        std::count_if(trials.begin(), trials.end(), [&](const Trial& other) { return CameTo(other, rung); }));
    const auto may_come = static_cast<size_t>(std::count_if(
        trials.begin(), trials.end(), [&](const Trial& other) { return !CameTo(other, rung) && !other.ended; }));
    const auto reduction = static_cast<size_t>(rules.reduction);
    const size_t at_most = std::max<size_t>(1, (came + may_come) / reduction);
    const size_t so_far = may_come == 0 ? at_most : came / reduction;
    const size_t rank = RankOf(i, rung, trials);
    if (rank >= so_far && rank < at_most) continue;  // It waits for the others.
    v1::TrialsDecided::Decision& decision = decisions.emplace_back();
    decision.set_job_id(trial.job_id);
    const std::string place = fmt::format("{} of {} at rung {}, step {} (score {})", rank + 1, came, rung + 1,
                                          rules.rungs[rung], ScoreText(trial.scores[rung]));
    if (rank < so_far) {
      decision.set_stop_at_step(rung + 1 < rules.rungs.size() ? rules.rungs[rung + 1] : rules.steps);
      decision.set_reason(fmt::format("goes on: {}", place));
    } else {
      decision.set_reason(fmt::format("stopped early: {}, and {} of {} go on", place, at_most, came + may_come));
    }
  }
  return decisions;
}

}  // namespace ridgeline
