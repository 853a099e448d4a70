// SPDX-License-Identifier: Apache-2.0
// Which trials of a sweep go on and which are stopped: asynchronous successive halving (arXiv 1810.05934, algorithm 2),
// for a known number of trials. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ridgeline/v1/journal.pb.h"

namespace ridgeline {

struct Trial {
  std::string job_id;
  bool waits = false;  // At rung scores.size() - 1, for a decision.
  bool ended = false;  // It comes to no further rung.
  // At each rung that it came to, the smaller the better; nothing where none was measured, which counts as worst.
  std::vector<std::optional<double>> scores;
};

struct AshaRules {
  std::vector<int64_t> rungs;  // Steps, ascending.
  int64_t steps = 0;           // Of a whole training.
  int reduction = 3;
};

// About every waiting trial that can be decided about, in the order of `trials`, which breaks ties. At each rung, with
// n trials there so far and m that may still come: who is among the best n / reduction goes on, and who would not be
// among the best (n + m) / reduction though all others were worse is stopped. At least one trial goes on in the end.
std::vector<v1::TrialsDecided::Decision> DecideTrials(const AshaRules& rules, const std::vector<Trial>& trials);

}  // namespace ridgeline
