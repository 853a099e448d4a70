// SPDX-License-Identifier: Apache-2.0
// For tests: what the CPU's own operations are compared with. For files that see RIDGELINE_WITH_CUDA.
#pragma once

#include <ostream>
#include <vector>

#include "model/ops/ops.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

struct OtherOps {
  const char* name;
  at::DeviceType device;
  Kernels kernels;

  const Ops& ops() const { return OpsFor(device, kernels); }
  bool lacks_its_device() const { return device == at::kCUDA && !at::hasCUDA(); }
};
inline std::ostream& operator<<(std::ostream& out, const OtherOps& other) { return out << other.name; }

// Composed ones and, in builds for GPUs, those of a GPU.
inline std::vector<OtherOps> EveryOtherOps() {
  std::vector<OtherOps> others = {{"composed", at::kCPU, Kernels::kComposed}};
#ifdef RIDGELINE_WITH_CUDA
  others.push_back({"composed_on_gpu", at::kCUDA, Kernels::kComposed});
  others.push_back({"cuda", at::kCUDA, Kernels::kAuto});
#endif
  return others;
}

}  // namespace ridgeline
