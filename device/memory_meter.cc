// SPDX-License-Identifier: Apache-2.0
#include "device/memory_meter.h"

#include <utility>

namespace ridgeline {

GpuMemoryMeter::GpuMemoryMeter(const std::vector<std::string>& uuids, const std::string& library) {
  if (uuids.empty()) return;
  absl::StatusOr<std::unique_ptr<Nvml>> nvml = Nvml::Load(library);
  if (!nvml.ok()) return;
  nvml_ = *std::move(nvml);
  for (const std::string& uuid : uuids)
    if (const absl::StatusOr<Nvml::Handle> gpu = nvml_->FindUuid(uuid); gpu.ok()) gpus_.push_back(*gpu);
}

int64_t GpuMemoryMeter::UsedBytes() const {
  int64_t bytes = 0;
  for (const Nvml::Handle gpu : gpus_) bytes += nvml_->UsedMemoryBytes(gpu).value_or(0);
  return bytes;
}

}  // namespace ridgeline
