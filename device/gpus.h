// SPDX-License-Identifier: Apache-2.0
// The GPUs of this host, by NVML: what there is, and what CUDA_VISIBLE_DEVICES leaves of it. Makes no CUDA context.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "device/nvml.h"

namespace ridgeline {

// What one rank can compute on: a whole GPU, or an instance of one in MIG mode.
struct Gpu {
  std::string uuid;  // "GPU-..." or "MIG-...".
  std::string name;  // "NVIDIA H200"
  int64_t memory_bytes = 0;
  std::string compute_capability;  // "9.0"
  bool is_partition = false;       // A MIG instance.
  bool operator==(const Gpu&) const = default;
};

// A GPU in its slot. In MIG mode only its instances compute, of which there may be none yet.
struct WholeGpu {
  Gpu gpu;
  bool is_mig = false;
  std::vector<Gpu> instances;
};

struct HostGpus {
  std::string driver_version;
  int cuda_version = 0;        // The latest that the driver serves: 13000 is 13.0. 0: it does not say.
  std::vector<WholeGpu> gpus;  // That this process may open; in PCI order, as nvidia-smi numbers them.
};

struct GpuSearch {
  std::string library = kNvmlLibrary;
  std::string driver_file = "/proc/driver/nvidia/version";  // There while the kernel has the driver loaded.
};

// A host with the driver and without a GPU has an empty list. NOT_FOUND without any part of a driver, which is no
// fault; FAILED_PRECONDITION where the kernel's driver or its library is missing beside the other, and else as NVML
// says. Each ends with what to do.
absl::StatusOr<HostGpus> FindGpus(const GpuSearch& search = {});

// By which a person chooses among GPUs.
struct CudaEnvironment {
  std::optional<std::string> visible_devices;  // CUDA_VISIBLE_DEVICES, where it is set.
  std::string device_order;                    // CUDA_DEVICE_ORDER; empty: not set.
};
CudaEnvironment CudaEnvironmentOfProcess();

// In the order of the variable, whose entries are numbers, UUIDs or unambiguous beginnings of UUIDs; a GPU in MIG mode
// stands for its instances. Not set: all. Numbers are those of nvidia-smi: whoever computes sets
// CUDA_DEVICE_ORDER=PCI_BUS_ID, so that CUDA has the same. INVALID_ARGUMENT names the entry that is none, with what is
// there; CUDA itself would leave out that entry and all behind it, and say nothing.
absl::StatusOr<std::vector<Gpu>> VisibleGpus(const HostGpus& host, const CudaEnvironment& environment);

}  // namespace ridgeline
