// SPDX-License-Identifier: Apache-2.0
// Energy of CPU packages and of the memory at them, by Linux' powercap folder (RAPL; AMD's CPUs are in the same folder
// under the same name).
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "energy/counter.h"

namespace ridgeline {

struct RaplOptions {
  std::string root = "/sys/class/powercap";
};

// Counts each intel-rapl:N whose name is package-..., and each intel-rapl:N:M below one of those whose name is dram.
// Not counted: core and uncore, which are part of their package; psys, which holds the packages; intel-rapl-mmio, the
// same packages by another way.
//
// A domain counts microjoules up to its max_energy_range_uj and begins again, a few minutes to an hour later. Read()
// adds what lies between two readings, up to one wrap; max_unread_seconds() is the time in which the smallest range
// is passed at 1000 W, which no package reaches. A wrap itself loses one step of the counter (some 15 to 61 uJ).
//
// NOT_FOUND without such a folder or domain, PERMISSION_DENIED if energy_uj is for root only, INVALID_ARGUMENT where a
// file holds something else than its number; each says what to do.
absl::StatusOr<std::unique_ptr<EnergyCounter>> OpenRapl(const RaplOptions& options = {});

}  // namespace ridgeline
