// SPDX-License-Identifier: Apache-2.0
// Energy of NVIDIA GPUs, by the library that comes with their driver (NVML); nothing is needed to build.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "device/nvml.h"
#include "energy/counter.h"

namespace ridgeline {

struct NvmlOptions {
  std::string library = kNvmlLibrary;
  // Which GPUs to count, by NVML's index (in PCI order: CUDA's only with CUDA_DEVICE_ORDER=PCI_BUS_ID, and never what
  // CUDA_VISIBLE_DEVICES makes of it). Empty: all, also those that work for others.
  std::vector<unsigned> devices;
};

// Counts each GPU's millijoules, which the driver keeps in 64 bits and refreshes about every 100 ms. Of a GPU in MIG
// slices it is all of the GPU.
//
// NOT_FOUND without the library or the GPU, UNIMPLEMENTED where a function or a GPU's counter is missing (GPUs before
// Volta have none), PERMISSION_DENIED, and FAILED_PRECONDITION with the library's own words for the rest.
absl::StatusOr<std::unique_ptr<EnergyCounter>> OpenNvml(const NvmlOptions& options = {});

}  // namespace ridgeline
