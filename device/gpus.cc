// SPDX-License-Identifier: Apache-2.0
#include "device/gpus.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

#include "common/printable.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr size_t kMaxShownBytes = 256;

std::string Words(const absl::Status& status) { return std::string(status.message()); }

// A library that cannot be loaded, or finds no driver, told apart by what the kernel has.
absl::Status WhyNoNvml(const absl::Status& why, const GpuSearch& search) {
  std::error_code ignored;
  const bool has_driver = std::filesystem::exists(search.driver_file, ignored);
  if (absl::IsNotFound(why) && !has_driver)
    return absl::NotFoundError(fmt::format(
        "no NVIDIA driver: {} is not there, and {}; where there is a GPU, install the driver, or start the container "
        "with its GPUs",
        search.driver_file, Words(why)));
  if (absl::IsNotFound(why))
    return absl::FailedPreconditionError(
        fmt::format("the kernel has NVIDIA's driver, and its library is missing ({}); install the driver's libraries, "
                    "or start the container with the NVIDIA runtime and NVIDIA_DRIVER_CAPABILITIES=compute,utility",
                    Words(why)));
  if (absl::IsUnavailable(why))
    return absl::FailedPreconditionError(fmt::format(
        "NVIDIA's library is there, and the kernel has no driver loaded ({}); `modprobe nvidia`, or restart "
        "the machine after an update of the driver",
        Words(why)));
  return why;
}

absl::StatusOr<Gpu> Describe(const Nvml& nvml, Nvml::Handle handle) {
  Gpu gpu;
  ASSIGN_OR_RETURN(gpu.uuid, nvml.Uuid(handle));
  ASSIGN_OR_RETURN(gpu.name, nvml.Name(handle));
  ASSIGN_OR_RETURN(gpu.memory_bytes, nvml.MemoryBytes(handle));
  return gpu;
}

absl::StatusOr<WholeGpu> DescribeWhole(const Nvml& nvml, Nvml::Handle handle) {
  WholeGpu whole;
  ASSIGN_OR_RETURN(whole.gpu, Describe(nvml, handle));
  ASSIGN_OR_RETURN(whole.gpu.compute_capability, nvml.ComputeCapability(handle));
  ASSIGN_OR_RETURN(whole.is_mig, nvml.HasMigMode(handle));
  if (!whole.is_mig) return whole;
  ASSIGN_OR_RETURN(const std::vector<Nvml::Handle> instances, nvml.MigInstances(handle));
  for (const Nvml::Handle instance : instances) {
    ASSIGN_OR_RETURN(Gpu gpu, Describe(nvml, instance));
    gpu.compute_capability = whole.gpu.compute_capability;
    gpu.is_partition = true;
    whole.instances.push_back(std::move(gpu));
  }
  return whole;
}

std::vector<Gpu> UnitsOf(const WholeGpu& whole) { return whole.is_mig ? whole.instances : std::vector<Gpu>{whole.gpu}; }

std::vector<std::string_view> Split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t start = 0; start <= text.size();) {
    const size_t comma = std::min(text.find(',', start), text.size());
    std::string_view part = text.substr(start, comma - start);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    parts.push_back(part);
    start = comma + 1;
  }
  return parts;
}

// The units that the entry names; empty where it names none.
std::vector<Gpu> UnitsNamed(std::string_view entry, const HostGpus& host) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(entry.data(), entry.data() + entry.size(), number);
  if (error == std::errc() && end == entry.data() + entry.size())
    return number < host.gpus.size() ? UnitsOf(host.gpus[number]) : std::vector<Gpu>();
  if (!entry.starts_with("GPU-") && !entry.starts_with("MIG-")) return {};
  std::vector<std::vector<Gpu>> found;
  for (const WholeGpu& whole : host.gpus) {
    if (whole.gpu.uuid.starts_with(entry)) found.push_back(UnitsOf(whole));
    for (const Gpu& instance : whole.instances)
      if (instance.uuid.starts_with(entry)) found.push_back({instance});
  }
  return found.size() == 1 ? found.front() : std::vector<Gpu>();
}

std::string WhatIsThere(const HostGpus& host) {
  std::string text;
  for (size_t number = 0; number < host.gpus.size(); ++number) {
    const WholeGpu& whole = host.gpus[number];
    text += fmt::format("{}{} {}", number == 0 ? "" : ", ", number, whole.gpu.uuid);
    if (whole.is_mig && whole.instances.empty()) text += " (in MIG mode, without an instance)";
    for (const Gpu& instance : whole.instances) text += fmt::format(" {}", instance.uuid);
  }
  return text.empty() ? "no GPU" : text;
}

absl::Status EntryError(const std::string& variable, size_t place, std::string_view entry, const std::string& why) {
  return absl::InvalidArgumentError(fmt::format(
      "CUDA_VISIBLE_DEVICES={}: entry {}, '{}', {}; `nvidia-smi -L` lists them",
      PrintableLine(variable, kMaxShownBytes), place, PrintableLine(std::string(entry), kMaxShownBytes), why));
}

// CUDA's own order puts the fastest first, which NVML does not know.
absl::Status CheckOrder(const HostGpus& host, const std::string& order) {
  if (order.empty() || order == "PCI_BUS_ID") return absl::OkStatus();
  const auto differs = [&](const WholeGpu& whole) { return whole.gpu.name != host.gpus.front().gpu.name; };
  if (!std::any_of(host.gpus.begin(), host.gpus.end(), differs)) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "CUDA_DEVICE_ORDER={} with GPUs of several kinds: numbers would not be those of nvidia-smi; unset it, "
      "or set it to PCI_BUS_ID",
      PrintableLine(order, kMaxShownBytes)));
}

}  // namespace

absl::StatusOr<HostGpus> FindGpus(const GpuSearch& search) {
  absl::StatusOr<std::unique_ptr<Nvml>> nvml = Nvml::Load(search.library);
  if (!nvml.ok()) return WhyNoNvml(nvml.status(), search);
  HostGpus host;
  ASSIGN_OR_RETURN(host.driver_version, (*nvml)->DriverVersion());
  host.cuda_version = (*nvml)->CudaVersion().value_or(0);
  ASSIGN_OR_RETURN(const unsigned count, (*nvml)->Count());
  absl::Status denied;
  for (unsigned index = 0; index < count; ++index) {
    const absl::StatusOr<Nvml::Handle> handle = (*nvml)->GpuAt(index);
    if (absl::IsPermissionDenied(handle.status())) {  // Of another job: a batch system's cgroup keeps it from us.
      denied = handle.status();
      continue;
    }
    RETURN_IF_ERROR(handle.status());
    ASSIGN_OR_RETURN(WholeGpu gpu, DescribeWhole(**nvml, *handle));
    host.gpus.push_back(std::move(gpu));
  }
  if (host.gpus.empty()) RETURN_IF_ERROR(denied);
  return host;
}

CudaEnvironment CudaEnvironmentOfProcess() {
  CudaEnvironment environment;
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) environment.visible_devices = visible;
  if (const char* order = std::getenv("CUDA_DEVICE_ORDER")) environment.device_order = order;
  return environment;
}

absl::StatusOr<std::vector<Gpu>> VisibleGpus(const HostGpus& host, const CudaEnvironment& environment) {
  RETURN_IF_ERROR(CheckOrder(host, environment.device_order));
  std::vector<Gpu> visible;
  if (!environment.visible_devices.has_value()) {
    for (const WholeGpu& whole : host.gpus)
      for (const Gpu& unit : UnitsOf(whole)) visible.push_back(unit);
    return visible;
  }
  const std::string& variable = *environment.visible_devices;
  // How Slurm and people say that there is to be none.
  if (variable.empty() || variable == "-1" || variable == "NoDevFiles" || variable == "none") return visible;
  size_t place = 0;
  for (const std::string_view entry : Split(variable)) {
    const std::vector<Gpu> units = UnitsNamed(entry, host);
    ++place;
    if (units.empty())
      return EntryError(variable, place, entry, fmt::format("is none of this host's: {}", WhatIsThere(host)));
    for (const Gpu& unit : units) {
      if (std::find(visible.begin(), visible.end(), unit) != visible.end())
        return EntryError(variable, place, entry, "was there before");
      visible.push_back(unit);
    }
  }
  return visible;
}

}  // namespace ridgeline
