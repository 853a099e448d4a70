// SPDX-License-Identifier: Apache-2.0
// What a counter of energy in the hardware tells. Implemented by rapl.h and nvml.h, used through window.h; what is
// modelled instead (model.h) is never a counter. docs/energy.md has the whole.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ridgeline {

// One package, one memory, one GPU.
struct EnergyPart {
  std::string name;   // "package-0 dram"
  double joules = 0;  // Since the counter was opened.
};

// All that one source counts, part for part. Not thread-safe.
class EnergyCounter {
 public:
  virtual ~EnergyCounter() = default;

  // "rapl" or "nvml": what a frontier point says of its joules. Joules of two sources are never added.
  virtual std::string_view source() const = 0;

  // For people: "1 package + dram".
  virtual std::string description() const = 0;

  // The same parts in the same order each time, none with less than the time before: wraps are undone, given that no
  // more than max_unread_seconds lie between two calls. FAILED_PRECONDITION where a part has vanished or went back.
  virtual absl::StatusOr<std::vector<EnergyPart>> Read() = 0;

  // How old a reading can be: each end of a window is wrong by as much.
  virtual double refresh_seconds() const = 0;

  // A wrap can be missed if nothing is read for longer; infinite where nothing wraps.
  virtual double max_unread_seconds() const = 0;
};

}  // namespace ridgeline
