// SPDX-License-Identifier: Apache-2.0
#include "worker/train/device_memory.h"

#include "quant/autograd/torch_pch.h"
#ifdef RIDGELINE_WITH_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#endif

namespace ridgeline {

#ifdef RIDGELINE_WITH_CUDA
namespace allocator = c10::cuda::CUDACachingAllocator;

std::optional<int64_t> PeakDeviceMemory(const at::Device& device) {
  if (!device.is_cuda()) return std::nullopt;
  constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return allocator::getDeviceStats(device.index()).allocated_bytes[kAll].peak;
}

void ReturnDeviceMemory(const at::Device& device) {
  if (!device.is_cuda()) return;
  allocator::emptyCache();
  allocator::resetPeakStats(device.index());
}
#else
std::optional<int64_t> PeakDeviceMemory(const at::Device&) { return std::nullopt; }
void ReturnDeviceMemory(const at::Device&) {}
#endif

}  // namespace ridgeline
