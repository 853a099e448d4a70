// SPDX-License-Identifier: Apache-2.0
#include "energy/nvml.h"

#include <dlfcn.h>

#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr double kMillijoule = 1e-3;
constexpr double kRefresh_seconds = 0.1;

// NVML's binary interface, as much of it as is used.
using Result = int;
using Device = void*;
constexpr Result kSuccess = 0;
constexpr Result kNotSupported = 3;
constexpr Result kNoPermission = 4;
constexpr Result kNotFound = 6;

// The loaded library, from its initialization to its shutdown.
class Nvml {
 public:
  static absl::StatusOr<std::unique_ptr<Nvml>> Load(const std::string& path) {
    void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      const char* why = ::dlerror();
      return absl::NotFoundError(fmt::format("no NVML ({}); it comes with NVIDIA's driver",
                                             why == nullptr ? path + " cannot be loaded" : why));
    }
    std::unique_ptr<Nvml> nvml(new Nvml(library));
    RETURN_IF_ERROR(nvml->FindAll(path));
    RETURN_IF_ERROR(nvml->Check(nvml->init_(), "nvmlInit_v2"));
    nvml->initialized_ = true;
    return nvml;
  }

  ~Nvml() {
    if (initialized_) shutdown_();
    ::dlclose(library_);
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  absl::StatusOr<unsigned> Count() const {
    unsigned count = 0;
    RETURN_IF_ERROR(Check(count_(&count), "nvmlDeviceGetCount_v2"));
    return count;
  }

  absl::StatusOr<Device> Handle(unsigned index) const {
    Device device = nullptr;
    RETURN_IF_ERROR(Check(handle_(index, &device), fmt::format("GPU {}: nvmlDeviceGetHandleByIndex_v2", index)));
    return device;
  }

  absl::StatusOr<uint64_t> Millijoules(Device device, unsigned index) const {
    unsigned long long energy_mj = 0;
    RETURN_IF_ERROR(
        Check(energy_(device, &energy_mj), fmt::format("GPU {}: nvmlDeviceGetTotalEnergyConsumption", index)));
    return energy_mj;
  }

 private:
  explicit Nvml(void* library) : library_(library) {}

  template <typename Function>
  absl::Status Find(const char* name, const std::string& path, Function* function) const {
    *function = reinterpret_cast<Function>(::dlsym(library_, name));
    if (*function != nullptr) return absl::OkStatus();
    return absl::UnimplementedError(fmt::format("{} has no {}: a newer driver of NVIDIA has", path, name));
  }

  absl::Status FindAll(const std::string& path) {
    RETURN_IF_ERROR(Find("nvmlErrorString", path, &error_string_));
    RETURN_IF_ERROR(Find("nvmlInit_v2", path, &init_));
    RETURN_IF_ERROR(Find("nvmlShutdown", path, &shutdown_));
    RETURN_IF_ERROR(Find("nvmlDeviceGetCount_v2", path, &count_));
    RETURN_IF_ERROR(Find("nvmlDeviceGetHandleByIndex_v2", path, &handle_));
    return Find("nvmlDeviceGetTotalEnergyConsumption", path, &energy_);
  }

  absl::Status Check(Result result, const std::string& what) const {
    if (result == kSuccess) return absl::OkStatus();
    const char* const text = error_string_(result);
    const std::string message = fmt::format("{}: {}", what, text == nullptr ? "unknown error" : text);
    switch (result) {
      case kNotSupported:
        return absl::UnimplementedError(message + "; GPUs count their energy from Volta on");
      case kNoPermission:
        return absl::PermissionDeniedError(message + "; let this user open /dev/nvidiactl and /dev/nvidia*");
      case kNotFound:
        return absl::NotFoundError(message);
      default:
        return absl::FailedPreconditionError(message + "; see what `nvidia-smi` says");
    }
  }

  void* const library_;
  bool initialized_ = false;
  const char* (*error_string_)(Result) = nullptr;
  Result (*init_)() = nullptr;
  Result (*shutdown_)() = nullptr;
  Result (*count_)(unsigned*) = nullptr;
  Result (*handle_)(unsigned, Device*) = nullptr;
  Result (*energy_)(Device, unsigned long long*) = nullptr;
};

struct Gpu {
  unsigned index = 0;
  Device device = nullptr;
  uint64_t first_mj = 0;
  uint64_t last_mj = 0;
};

class NvmlCounter : public EnergyCounter {
 public:
  NvmlCounter(std::unique_ptr<Nvml> nvml, std::vector<Gpu> gpus) : nvml_(std::move(nvml)), gpus_(std::move(gpus)) {}

  std::string_view source() const override { return "nvml"; }

  std::string description() const override {
    return fmt::format("{} GPU{}", gpus_.size(), gpus_.size() == 1 ? "" : "s");
  }

  absl::StatusOr<std::vector<EnergyPart>> Read() override {
    std::vector<EnergyPart> parts;
    for (Gpu& gpu : gpus_) {
      ASSIGN_OR_RETURN(const uint64_t now_mj, nvml_->Millijoules(gpu.device, gpu.index));
      if (now_mj < gpu.last_mj)
        return absl::FailedPreconditionError(fmt::format(
            "GPU {}: its energy went back from {} to {} mJ, as when the driver is loaded again: measure again",
            gpu.index, gpu.last_mj, now_mj));
      gpu.last_mj = now_mj;
      parts.push_back({fmt::format("GPU {}", gpu.index), static_cast<double>(now_mj - gpu.first_mj) * kMillijoule});
    }
    return parts;
  }

  double refresh_seconds() const override { return kRefresh_seconds; }
  double max_unread_seconds() const override { return std::numeric_limits<double>::infinity(); }

 private:
  std::unique_ptr<Nvml> nvml_;
  std::vector<Gpu> gpus_;
};

absl::StatusOr<std::vector<unsigned>> IndexesOf(const Nvml& nvml, const NvmlOptions& options) {
  ASSIGN_OR_RETURN(const unsigned count, nvml.Count());
  std::vector<unsigned> indexes = options.devices;
  for (unsigned index = 0; options.devices.empty() && index < count; ++index) indexes.push_back(index);
  if (indexes.empty()) return absl::NotFoundError("NVML finds no GPU; see what `nvidia-smi` says");
  for (const unsigned index : indexes)
    if (index >= count) return absl::NotFoundError(fmt::format("there is no GPU {}: NVML finds {}", index, count));
  return indexes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EnergyCounter>> OpenNvml(const NvmlOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<Nvml> nvml, Nvml::Load(options.library));
  ASSIGN_OR_RETURN(const std::vector<unsigned> indexes, IndexesOf(*nvml, options));
  std::vector<Gpu> gpus;
  for (const unsigned index : indexes) {
    ASSIGN_OR_RETURN(const Device device, nvml->Handle(index));
    ASSIGN_OR_RETURN(const uint64_t now_mj, nvml->Millijoules(device, index));
    gpus.push_back({index, device, now_mj, now_mj});
  }
  return std::make_unique<NvmlCounter>(std::move(nvml), std::move(gpus));
}

}  // namespace ridgeline
