// SPDX-License-Identifier: Apache-2.0
// What a piece of work costs by a counter: at rest first, then the work again and again for long enough.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "energy/counter.h"

namespace ridgeline {

struct EnergyWindowOptions {
  // Each at least ten times the counter's refresh_seconds. The machine should have nothing else to do in both.
  double idle_seconds = 5;
  double min_seconds = 5;
  int warm_up_repetitions = 1;  // Before the window, not counted.
};

// What a test replaces.
struct EnergyWindowHooks {
  const Clock* clock = &SystemClock();
  std::function<void(int64_t ms)> sleep;  // Empty: the thread sleeps.
  std::function<bool()> cancelled;        // Asked between repetitions and ten times a second at rest. Empty: never.
};

// Of all the machine's packages or GPUs that the counter has, whoever used them.
struct EnergyWindow {
  std::string source;            // The counter's: "rapl", "nvml".
  double gross_joules = 0;       // All that was drawn while the work ran.
  double idle_watts = 0;         // Drawn at rest, just before.
  double above_idle_joules = 0;  // gross - idle_watts * seconds. Not above 0 if the machine was busier at rest.
  double seconds = 0;
  int64_t repetitions = 0;  // Joules and seconds are of all of them together.
};

// Runs on the calling thread, for at least idle_seconds + min_seconds and the warm-up. `work` is done when it returns:
// what it starts on a GPU it also waits for. It should be short beside min_seconds, since the last repetition is always
// finished.
//
// INVALID_ARGUMENT for windows that are too short for the counter. CANCELLED. FAILED_PRECONDITION if any part of the
// counter stands still through the window (it is dead, its joules are not 0), or if one repetition is so long that a
// wrap may have been missed. Errors of `work` and of the counter as they are.
absl::StatusOr<EnergyWindow> MeasureEnergy(EnergyCounter* counter, const std::function<absl::Status()>& work,
                                           const EnergyWindowOptions& options = {},
                                           const EnergyWindowHooks& hooks = {});

}  // namespace ridgeline
