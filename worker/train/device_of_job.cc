// SPDX-License-Identifier: Apache-2.0
#include "worker/train/device_of_job.h"

#include <cstdlib>

#include "quant/autograd/torch_pch.h"
#ifdef RIDGELINE_WITH_CUDA
#include <ATen/Context.h>
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

// Plain attention and sums in order, where flash attention and atomic additions are faster. cuBLAS repeats with the
// workspace that it is given here, which it reads when it starts.
DeviceOfJob::DeviceOfJob(const at::Device& device, bool is_deterministic) : device_(device) {
  if (!device.is_cuda()) return;
  at::Context& context = at::globalContext();
  if (is_deterministic) ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*replace=*/0);
  context.setDeterministicAlgorithms(is_deterministic, /*warn_only=*/true);
  context.setSDPUseFlash(!is_deterministic);
  context.setSDPUseMemEfficient(!is_deterministic);
  allocator::resetPeakStats(device.index());
}

DeviceOfJob::~DeviceOfJob() {
  if (device_.is_cuda()) allocator::emptyCache();
}
#else
std::optional<int64_t> PeakDeviceMemory(const at::Device&) { return std::nullopt; }
DeviceOfJob::DeviceOfJob(const at::Device& device, bool) : device_(device) {}
DeviceOfJob::~DeviceOfJob() = default;
#endif

}  // namespace ridgeline
