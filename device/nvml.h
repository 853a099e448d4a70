// SPDX-License-Identifier: Apache-2.0
// NVML, the library that comes with NVIDIA's driver, loaded while the program runs; nothing is needed to build.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

inline constexpr const char* kNvmlLibrary = "libnvidia-ml.so.1";

// The loaded library, from its initialization to its shutdown. Thread-safe, as NVML is. Its indexes are in PCI order,
// and it sees what CUDA_VISIBLE_DEVICES hides.
//
// Errors name the function and have the library's own words: NOT_FOUND where there is no such library, GPU or part,
// UNIMPLEMENTED where the library has no such function or the GPU does not support it, PERMISSION_DENIED, UNAVAILABLE
// where the kernel has no driver loaded, FAILED_PRECONDITION for the rest.
class Nvml {
 public:
  using Handle = void*;  // Of a GPU or of a part of one; good for as long as the library is loaded.

  static absl::StatusOr<std::unique_ptr<Nvml>> Load(const std::string& library = kNvmlLibrary);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  absl::StatusOr<std::string> DriverVersion() const;  // "580.65.06"
  absl::StatusOr<int> CudaVersion() const;            // The latest that the driver serves: 13000 is 13.0.

  absl::StatusOr<unsigned> Count() const;
  absl::StatusOr<Handle> GpuAt(unsigned index) const;
  absl::StatusOr<Handle> FindUuid(const std::string& uuid) const;

  absl::StatusOr<std::string> Name(Handle gpu) const;
  absl::StatusOr<std::string> Uuid(Handle gpu) const;
  absl::StatusOr<std::string> ComputeCapability(Handle gpu) const;  // "9.0"
  absl::StatusOr<int64_t> MemoryBytes(Handle gpu) const;
  absl::StatusOr<int64_t> UsedMemoryBytes(Handle gpu) const;  // By all processes.

  // Whether the GPU is in MIG mode, in which only its instances compute; false where it has no such mode.
  absl::StatusOr<bool> HasMigMode(Handle gpu) const;
  // Its compute instances, as handles of their own. REQUIRES: HasMigMode.
  absl::StatusOr<std::vector<Handle>> MigInstances(Handle gpu) const;

  // What a GPU has drawn since the driver was loaded, all of its instances together.
  absl::StatusOr<uint64_t> EnergyMillijoules(Handle gpu) const;

 private:
  struct Memory;

  explicit Nvml(void* library, std::string path) : library_(library), path_(std::move(path)) {}
  template <typename... Parameters, typename... Arguments>
  absl::Status Call(int (*signature)(Parameters...), const char* name, Arguments... arguments) const;
  absl::Status ErrorOf(const char* function, int result) const;
  absl::StatusOr<std::string> Text(const char* function, Handle gpu) const;
  absl::StatusOr<Memory> MemoryInfo(Handle gpu) const;

  void* const library_;
  const std::string path_;
  bool initialized_ = false;
};

}  // namespace ridgeline
