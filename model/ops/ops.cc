// SPDX-License-Identifier: Apache-2.0
#include "model/ops/ops.h"

#include "quant/autograd/torch_pch.h"

namespace ridgeline {

double HeadSums::loss() const { return values[0].item<double>(); }
int64_t HeadSums::correct() const { return static_cast<int64_t>(values[1].item<double>()); }
double HeadSums::divergence() const { return values[2].item<double>(); }

HeadSums Ops::NoSums(const at::Tensor& like) const { return {at::zeros({3}, like.options().dtype(at::kDouble))}; }

const Ops& OpsFor(const at::Device& device, Kernels kernels) {
  if (kernels == Kernels::kComposed) return ComposedOps();
  if (device.is_cpu()) return CpuOps();
  TORCH_CHECK(device.is_cuda(), "no operations for ", device, ": use the CPU or a CUDA device");
  return ComposedOps();
}

}  // namespace ridgeline
