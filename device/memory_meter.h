// SPDX-License-Identifier: Apache-2.0
// How much of some GPUs' memory is in use.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "device/nvml.h"

namespace ridgeline {

// Thread-safe. Of all processes on the GPUs; a MIG instance counts for itself. Those that cannot be read, or all where
// there is no NVML, count nothing: it is for a display.
class GpuMemoryMeter {
 public:
  explicit GpuMemoryMeter(const std::vector<std::string>& uuids, const std::string& library = kNvmlLibrary);

  // In use now, all together.
  int64_t UsedBytes() const;

 private:
  std::unique_ptr<Nvml> nvml_;  // Null where there is nothing to read.
  std::vector<Nvml::Handle> gpus_;
};

}  // namespace ridgeline
