// SPDX-License-Identifier: Apache-2.0
#include "model/ops/ops.h"

#include "quant/autograd/torch_pch.h"

namespace ridgeline {

double HeadSums::loss() const { return values[0].item<double>(); }
int64_t HeadSums::correct() const { return static_cast<int64_t>(values[1].item<double>()); }
double HeadSums::divergence() const { return values[2].item<double>(); }

HeadSums Ops::NoSums(const at::Tensor& like) const { return {at::zeros({3}, like.options().dtype(at::kDouble))}; }

at::Tensor ToDevice(const at::Tensor& host, const at::Device& device) {
  return device.is_cuda() ? host.pin_memory().to(device, /*non_blocking=*/true) : host.to(device);
}

const Ops& OpsFor(const at::Device& device, Kernels kernels) {
  if (kernels == Kernels::kComposed) return ComposedOps();
  if (device.is_cpu()) return CpuOps();
#ifdef RIDGELINE_WITH_CUDA
  if (device.is_cuda()) return CudaOps();
#endif
  TORCH_CHECK(false, "no operations for ", device, " in this build: use the CPU, or build with CUDA");
}

}  // namespace ridgeline
