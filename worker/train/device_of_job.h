// SPDX-License-Identifier: Apache-2.0
// A GPU while a job computes on it: memory, and whether sums repeat.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>

namespace ridgeline {

// The most bytes that tensors have held on the device at once since the program began; nothing for a CPU.
std::optional<int64_t> PeakDeviceMemory(const at::Device& device);

// For as long as a job computes on the device: whether LibTorch takes slower operations there that give the same bits
// each time. At its end, gives what the job has left back to the device. Nothing on a CPU, which always repeats.
class DeviceOfJob {
 public:
  DeviceOfJob(const at::Device& device, bool is_deterministic);
  ~DeviceOfJob();
  DeviceOfJob(const DeviceOfJob&) = delete;
  DeviceOfJob& operator=(const DeviceOfJob&) = delete;

 private:
  const at::Device device_;
};

}  // namespace ridgeline
