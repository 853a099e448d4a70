// SPDX-License-Identifier: Apache-2.0
// What a rank runs on: memory and rates from the makers' data sheets, or this machine.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ridgeline {

struct Device {
  std::string_view name;
  double memory_bytes = 0;
  double float32_flops = 0;  // Peak of dense matrix products, in a second; 0: not known.
  double bfloat16_flops = 0;
  double link_bytes_per_second = 0;  // Of one rank, to the others.
  int64_t ranks_per_node = 0;        // That have a faster link to each other; 0: none has.
  double node_bytes_per_second = 0;  // Of that link, of one rank in one direction.
  double runtime_bytes = 0;          // Program, libraries and context, before the first tensor.
  double sustained_flops = 0;        // Measured, for the recipe's dtype; 0: a share of the peak.
};

// Of a device's peak; published training runs of dense transformers reach 0.35 to 0.45 of it.
inline constexpr double kSustainedShare = 0.4;

// What training keeps up; 0 where nothing says it.
double SustainedFlops(const Device& device, bool in_bfloat16);

// "cpu" is this machine, whose rate is not known. INVALID_ARGUMENT for other names.
absl::StatusOr<Device> FindDevice(std::string_view name);
std::vector<std::string_view> DeviceNames();

// The GPU that its driver calls so ("NVIDIA H100 80GB HBM3"); null for one that is not listed.
const Device* FindGpuOfDriver(std::string_view name);

}  // namespace ridgeline
