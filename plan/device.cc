// SPDX-License-Identifier: Apache-2.0
#include "plan/device.h"

#include <unistd.h>

#include <array>

#include "absl/strings/ascii.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr double kGiga = 1e9, kTera = 1e12;
constexpr double kMebibyte = 1 << 20;
// Resident memory of a worker before it has a model, measured (docs/plan.md), and a CUDA context's on top of kernels.
constexpr double kCpuRuntimeBytes = 150 * kMebibyte;
constexpr double kCudaRuntimeBytes = 1024 * kMebibyte;

// Dense peaks, without sparsity and without TF32; one network port of 200 or 400 Gbit/s a GPU, and NVLink to the other
// seven of a node, in one direction.
constexpr std::array<Device, 3> kGpus = {{
    {"a100", 80 * kGiga, 19.5 * kTera, 312 * kTera, 25 * kGiga, 8, 300 * kGiga, kCudaRuntimeBytes},
    {"h100", 80 * kGiga, 67 * kTera, 989 * kTera, 50 * kGiga, 8, 450 * kGiga, kCudaRuntimeBytes},
    {"h200", 141 * kGiga, 67 * kTera, 989 * kTera, 50 * kGiga, 8, 450 * kGiga, kCudaRuntimeBytes},
}};

Device ThisMachine() {
  const double bytes = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  return {
      .name = "cpu", .memory_bytes = bytes, .link_bytes_per_second = 1.25 * kGiga, .runtime_bytes = kCpuRuntimeBytes};
}

}  // namespace

double SustainedFlops(const Device& device, bool in_bfloat16) {
  if (device.sustained_flops > 0) return device.sustained_flops;
  return kSustainedShare * (in_bfloat16 ? device.bfloat16_flops : device.float32_flops);
}

std::vector<std::string_view> DeviceNames() {
  std::vector<std::string_view> names = {"cpu"};
  for (const Device& gpu : kGpus) names.push_back(gpu.name);
  return names;
}

const Device* FindGpuOfDriver(std::string_view name) {
  const std::string lower = absl::AsciiStrToLower(std::string(name));
  for (const Device& gpu : kGpus)
    if (lower.find(gpu.name) != std::string::npos) return &gpu;
  return nullptr;
}

absl::StatusOr<Device> FindDevice(std::string_view name) {
  if (name == "cpu") return ThisMachine();
  for (const Device& gpu : kGpus)
    if (gpu.name == name) return gpu;
  return absl::InvalidArgumentError(fmt::format("no device is called '{}': {}", name, fmt::join(DeviceNames(), ", ")));
}

}  // namespace ridgeline
