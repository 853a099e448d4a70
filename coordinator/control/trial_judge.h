// SPDX-License-Identifier: Apache-2.0
// Decides about trials that wait at a rung, by what they measured there.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "coordinator/control/asha.h"
#include "coordinator/state/journal.h"
#include "coordinator/state/metric_store.h"

namespace ridgeline {

// By one thread. Journal and store must outlive it.
class TrialJudge {
 public:
  TrialJudge(Journal* journal, MetricStore* store) : journal_(journal), store_(store) {}

  // Commits what can be decided. Called often: costs a look at the jobs that have not ended where nothing waits.
  void Judge();

 private:
  struct Sweep {
    AshaRules rules;
    std::string metric;
    std::vector<Trial> trials;    // Scores are to be filled in.
    std::vector<size_t> came_to;  // For each trial, how many rungs it came to.
  };

  std::vector<Sweep> SweepsThatWait() const;
  void FillScores(Sweep* sweep);
  std::optional<double> ScoreAt(const std::string& job_id, int64_t step, const std::string& metric);

  Journal* const journal_;
  MetricStore* const store_;
  // A trial is scored once at each rung, and its points are read once.
  absl::flat_hash_map<std::pair<std::string, int64_t>, std::optional<double>> scores_;
};

}  // namespace ridgeline
