// SPDX-License-Identifier: Apache-2.0
// What LibTorch's allocator holds of a GPU.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>

namespace ridgeline {

// The most bytes that tensors have held on the device at once since the program began; nothing for a CPU.
std::optional<int64_t> PeakDeviceMemory(const at::Device& device);

// Gives what a job has left back to the device.
void ReturnDeviceMemory(const at::Device& device);

}  // namespace ridgeline
