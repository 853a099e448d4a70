// SPDX-License-Identifier: Apache-2.0
// NVML's binary interface, as much of it as is used. Functions are looked up when they are called: a driver that lacks
// one still serves the others.
#include "device/nvml.h"

#include <dlfcn.h>

#include <array>
#include <utility>

#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

enum Result { kSuccess = 0, kNotSupported = 3, kNoPermission = 4, kNotFound = 6, kDriverNotLoaded = 9 };

// Signatures, by what they take beside the handle of a GPU.
using Handle = Nvml::Handle;
constexpr int (*kNoArgument)() = nullptr;
constexpr int (*kNumber)(unsigned*) = nullptr;
constexpr int (*kInteger)(int*) = nullptr;
constexpr int (*kText)(char*, unsigned) = nullptr;
constexpr int (*kGpuText)(Handle, char*, unsigned) = nullptr;
constexpr int (*kGpuNumber)(Handle, unsigned*) = nullptr;
constexpr int (*kGpuTwoNumbers)(Handle, unsigned*, unsigned*) = nullptr;
constexpr int (*kGpuTwoIntegers)(Handle, int*, int*) = nullptr;
constexpr int (*kGpuLongNumber)(Handle, unsigned long long*) = nullptr;
constexpr int (*kGpuAddress)(Handle, void*) = nullptr;
constexpr int (*kHandleByIndex)(unsigned, Handle*) = nullptr;
constexpr int (*kHandleByText)(const char*, Handle*) = nullptr;
constexpr int (*kInstanceByIndex)(Handle, unsigned, Handle*) = nullptr;

constexpr unsigned kMaxTextBytes = 96;  // Of a name or a UUID, at least what NVML asks for.

}  // namespace

struct Nvml::Memory {
  unsigned long long total = 0, free = 0, used = 0;
};

absl::StatusOr<std::unique_ptr<Nvml>> Nvml::Load(const std::string& library) {
  void* const loaded = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (loaded == nullptr) {
    const char* why = ::dlerror();
    return absl::NotFoundError(fmt::format("no NVML ({}); it comes with NVIDIA's driver",
                                           why == nullptr ? library + " cannot be loaded" : why));
  }
  std::unique_ptr<Nvml> nvml(new Nvml(loaded, library));
  RETURN_IF_ERROR(nvml->Call(kNoArgument, "nvmlInit_v2"));
  nvml->initialized_ = true;
  return nvml;
}

Nvml::~Nvml() {
  if (initialized_) Call(kNoArgument, "nvmlShutdown").IgnoreError();
  ::dlclose(library_);
}

template <typename... Parameters, typename... Arguments>
absl::Status Nvml::Call(int (*signature)(Parameters...), const char* name, Arguments... arguments) const {
  const auto function = reinterpret_cast<decltype(signature)>(::dlsym(library_, name));
  if (function == nullptr)
    return absl::UnimplementedError(fmt::format("{} has no {}: a newer driver of NVIDIA has", path_, name));
  const int result = function(arguments...);
  return result == kSuccess ? absl::OkStatus() : ErrorOf(name, result);
}

absl::Status Nvml::ErrorOf(const char* function, int result) const {
  const auto error_string = reinterpret_cast<const char* (*)(int)>(::dlsym(library_, "nvmlErrorString"));
  const char* const text = error_string == nullptr ? nullptr : error_string(result);
  const std::string message =
      fmt::format("{}: {}", function, text == nullptr ? fmt::format("error {}", result) : std::string(text));
  switch (result) {
    case kNotSupported:
      return absl::UnimplementedError(message);
    case kNoPermission:
      return absl::PermissionDeniedError(message + "; let this user open /dev/nvidiactl and /dev/nvidia*");
    case kNotFound:
      return absl::NotFoundError(message);
    case kDriverNotLoaded:
      return absl::UnavailableError(message + "; see what `nvidia-smi` says");
    default:
      return absl::FailedPreconditionError(message + "; see what `nvidia-smi` says");
  }
}

absl::StatusOr<std::string> Nvml::DriverVersion() const {
  std::array<char, kMaxTextBytes> text{};
  RETURN_IF_ERROR(Call(kText, "nvmlSystemGetDriverVersion", text.data(), kMaxTextBytes - 1));
  return ToValidUtf8(text.data());
}

absl::StatusOr<int> Nvml::CudaVersion() const {
  int version = 0;
  RETURN_IF_ERROR(Call(kInteger, "nvmlSystemGetCudaDriverVersion_v2", &version));
  return version;
}

absl::StatusOr<unsigned> Nvml::Count() const {
  unsigned count = 0;
  RETURN_IF_ERROR(Call(kNumber, "nvmlDeviceGetCount_v2", &count));
  return count;
}

absl::StatusOr<Handle> Nvml::GpuAt(unsigned index) const {
  Handle gpu = nullptr;
  const absl::Status status = Call(kHandleByIndex, "nvmlDeviceGetHandleByIndex_v2", index, &gpu);
  if (!status.ok()) return absl::Status(status.code(), fmt::format("GPU {}: {}", index, std::string(status.message())));
  return gpu;
}

absl::StatusOr<Handle> Nvml::FindUuid(const std::string& uuid) const {
  Handle gpu = nullptr;
  RETURN_IF_ERROR(Call(kHandleByText, "nvmlDeviceGetHandleByUUID", uuid.c_str(), &gpu));
  return gpu;
}

absl::StatusOr<std::string> Nvml::Text(const char* function, Handle gpu) const {
  std::array<char, kMaxTextBytes> text{};
  RETURN_IF_ERROR(Call(kGpuText, function, gpu, text.data(), kMaxTextBytes - 1));
  return ToValidUtf8(text.data());
}

absl::StatusOr<std::string> Nvml::Name(Handle gpu) const { return Text("nvmlDeviceGetName", gpu); }
absl::StatusOr<std::string> Nvml::Uuid(Handle gpu) const { return Text("nvmlDeviceGetUUID", gpu); }

absl::StatusOr<std::string> Nvml::ComputeCapability(Handle gpu) const {
  int major = 0, minor = 0;
  RETURN_IF_ERROR(Call(kGpuTwoIntegers, "nvmlDeviceGetCudaComputeCapability", gpu, &major, &minor));
  return fmt::format("{}.{}", major, minor);
}

absl::StatusOr<Nvml::Memory> Nvml::MemoryInfo(Handle gpu) const {
  Memory memory;
  RETURN_IF_ERROR(Call(kGpuAddress, "nvmlDeviceGetMemoryInfo", gpu, &memory));
  return memory;
}

absl::StatusOr<int64_t> Nvml::MemoryBytes(Handle gpu) const {
  ASSIGN_OR_RETURN(const Memory memory, MemoryInfo(gpu));
  return static_cast<int64_t>(memory.total);
}

absl::StatusOr<int64_t> Nvml::UsedMemoryBytes(Handle gpu) const {
  ASSIGN_OR_RETURN(const Memory memory, MemoryInfo(gpu));
  return static_cast<int64_t>(memory.used);
}

absl::StatusOr<bool> Nvml::HasMigMode(Handle gpu) const {
  unsigned current = 0, pending = 0;
  const absl::Status status = Call(kGpuTwoNumbers, "nvmlDeviceGetMigMode", gpu, &current, &pending);
  if (absl::IsUnimplemented(status)) return false;
  RETURN_IF_ERROR(status);
  return current == 1;
}

absl::StatusOr<std::vector<Handle>> Nvml::MigInstances(Handle gpu) const {
  unsigned places = 0;
  RETURN_IF_ERROR(Call(kGpuNumber, "nvmlDeviceGetMaxMigDeviceCount", gpu, &places));
  std::vector<Handle> instances;
  for (unsigned place = 0; place < places; ++place) {
    Handle instance = nullptr;
    const absl::Status status = Call(kInstanceByIndex, "nvmlDeviceGetMigDeviceHandleByIndex", gpu, place, &instance);
    if (absl::IsNotFound(status)) continue;  // Nothing has been made there.
    RETURN_IF_ERROR(status);
    instances.push_back(instance);
  }
  return instances;
}

absl::StatusOr<uint64_t> Nvml::EnergyMillijoules(Handle gpu) const {
  unsigned long long energy_mj = 0;
  RETURN_IF_ERROR(Call(kGpuLongNumber, "nvmlDeviceGetTotalEnergyConsumption", gpu, &energy_mj));
  return energy_mj;
}

}  // namespace ridgeline
