// SPDX-License-Identifier: Apache-2.0
// Which counter a job's energy comes from, or why it has to be modelled.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "energy/counter.h"
#include "energy/nvml.h"
#include "energy/rapl.h"

namespace ridgeline {

enum class EnergyDevice { kCpu, kCuda };

struct CounterOptions {
  EnergyDevice device = EnergyDevice::kCpu;  // Where the work runs.
  RaplOptions rapl;
  NvmlOptions nvml;
};

// RAPL for work on CPUs, NVML for work on GPUs; neither in place of the other, since it would count what does not work.
// Has read each part once. The error says why there is none and what would help: the work is modelled then.
absl::StatusOr<std::unique_ptr<EnergyCounter>> FindCounter(const CounterOptions& options = {});

// In a line, for logs and `ridgeline doctor`: "rapl: 1 package + dram", "modelled: no powercap folder (...)".
std::string DescribeEnergySource(const absl::StatusOr<std::unique_ptr<EnergyCounter>>& counter);

}  // namespace ridgeline
