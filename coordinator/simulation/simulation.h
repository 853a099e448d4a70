// SPDX-License-Identifier: Apache-2.0
// The coordinator under everything that may happen to it, decided by one number: clients that ask again, workers that
// die, come back and lose their connection, full disks, crashes in the middle of a write, clocks that jump. The same
// seed does the same again, and what must hold is looked at after every event (docs/robustness.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ridgeline::simulation {

struct SimulationOptions {
  uint64_t seed = 1;
  bool has_lying_disk = false;  // Its syncs do nothing: a fault that must be found.
};

struct SimulationResult {
  std::vector<std::string> violations;  // The first is what to look at.
  std::vector<std::string> history;     // A line each.
  int64_t events = 0;
  int crashes = 0, jobs = 0;
};

SimulationResult Simulate(const SimulationOptions& options);

}  // namespace ridgeline::simulation
