// SPDX-License-Identifier: Apache-2.0
#include "energy/nvml.h"

#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "device/nvml.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr double kMillijoule = 1e-3;
constexpr double kRefresh_seconds = 0.1;

// Whose counter it is, and what would help where it has none.
absl::StatusOr<uint64_t> Millijoules(const Nvml& nvml, Nvml::Handle gpu, unsigned index) {
  const absl::StatusOr<uint64_t> energy_mj = nvml.EnergyMillijoules(gpu);
  if (energy_mj.ok()) return energy_mj;
  const char* remedy = absl::IsUnimplemented(energy_mj.status()) ? "; GPUs count their energy from Volta on" : "";
  return absl::Status(energy_mj.status().code(),
                      fmt::format("GPU {}: {}{}", index, std::string(energy_mj.status().message()), remedy));
}

struct CountedGpu {
  unsigned index = 0;
  Nvml::Handle handle = nullptr;
  uint64_t first_mj = 0;
  uint64_t last_mj = 0;
};

class NvmlCounter : public EnergyCounter {
 public:
  NvmlCounter(std::unique_ptr<Nvml> nvml, std::vector<CountedGpu> gpus)
      : nvml_(std::move(nvml)), gpus_(std::move(gpus)) {}

  std::string_view source() const override { return "nvml"; }

  std::string description() const override {
    return fmt::format("{} GPU{}", gpus_.size(), gpus_.size() == 1 ? "" : "s");
  }

  absl::StatusOr<std::vector<EnergyPart>> Read() override {
    std::vector<EnergyPart> parts;
    for (CountedGpu& gpu : gpus_) {
      ASSIGN_OR_RETURN(const uint64_t now_mj, Millijoules(*nvml_, gpu.handle, gpu.index));
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
  std::vector<CountedGpu> gpus_;
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
  std::vector<CountedGpu> gpus;
  for (const unsigned index : indexes) {
    ASSIGN_OR_RETURN(const Nvml::Handle gpu, nvml->GpuAt(index));
    ASSIGN_OR_RETURN(const uint64_t now_mj, Millijoules(*nvml, gpu, index));
    gpus.push_back({index, gpu, now_mj, now_mj});
  }
  return std::make_unique<NvmlCounter>(std::move(nvml), std::move(gpus));
}

}  // namespace ridgeline
