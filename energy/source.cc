// SPDX-License-Identifier: Apache-2.0
#include "energy/source.h"

#include "energy/model.h"
#include "fmt/format.h"

namespace ridgeline {

absl::StatusOr<std::unique_ptr<EnergyCounter>> FindCounter(const CounterOptions& options) {
  return options.device == EnergyDevice::kCuda ? OpenNvml(options.nvml) : OpenRapl(options.rapl);
}

std::string DescribeEnergySource(const absl::StatusOr<std::unique_ptr<EnergyCounter>>& counter) {
  if (!counter.ok()) return fmt::format("{}: {}", kModelledSource, std::string(counter.status().message()));
  return fmt::format("{}: {}", (*counter)->source(), (*counter)->description());
}

}  // namespace ridgeline
