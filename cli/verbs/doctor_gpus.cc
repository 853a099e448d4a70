// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/doctor_gpus.h"

#include <fmt/format.h>

#include "cli/shared/terminal.h"
#include "common/printable.h"
#include "device/build.h"

namespace ridgeline {
namespace {

std::string VersionText(int cuda_version) {
  return fmt::format("{}.{}", cuda_version / 1000, cuda_version % 1000 / 10);
}

Finding CheckDriver(const absl::StatusOr<HostGpus>& host, bool has_cuda) {
  if (!host.ok()) {
    const bool is_fault = has_cuda || !absl::IsNotFound(host.status());
    return {is_fault ? Level::kWarn : Level::kOk, "NVIDIA driver", std::string(host.status().message()), ""};
  }
  const bool is_old = has_cuda && host->cuda_version > 0 && host->cuda_version < kCudaOfBuild;
  return {is_old ? Level::kWarn : Level::kOk, "NVIDIA driver",
          fmt::format("{}, for CUDA up to {}", host->driver_version, VersionText(host->cuda_version)),
          fmt::format("update it: this build needs one for CUDA {}", VersionText(kCudaOfBuild))};
}

Finding CheckGpu(const WholeGpu& whole, size_t number) {
  return {Level::kOk, fmt::format("GPU {}", number),
          fmt::format("{}, {}, compute capability {}", whole.gpu.name,
                      HumanBytes(static_cast<double>(whole.gpu.memory_bytes)), whole.gpu.compute_capability),
          ""};
}

Finding CheckMig(const WholeGpu& whole, size_t number) {
  const std::string what = fmt::format("MIG of GPU {}", number);
  if (whole.instances.empty())
    return {
        Level::kWarn, what, "the mode is on and there is no instance: nothing can compute on it",
        fmt::format("make one, `nvidia-smi mig -i {0} -cgi PROFILE -C`, or end the mode, `nvidia-smi -i {0} -mig 0`",
                    number)};
  std::vector<std::string> texts;
  for (const Gpu& instance : whole.instances)
    texts.push_back(fmt::format("{} ({})", instance.uuid, HumanBytes(static_cast<double>(instance.memory_bytes))));
  return {Level::kOk, what, fmt::format("{}", fmt::join(texts, ", ")), ""};
}

Finding CheckVisible(const HostGpus& host, const CudaEnvironment& environment) {
  constexpr size_t kMaxShownBytes = 256;
  const absl::StatusOr<std::vector<Gpu>> visible = VisibleGpus(host, environment);
  if (!visible.ok()) return {Level::kFail, "CUDA_VISIBLE_DEVICES", std::string(visible.status().message()), ""};
  const bool is_set = environment.visible_devices.has_value();
  const std::string set =
      is_set ? fmt::format("'{}'", PrintableLine(*environment.visible_devices, kMaxShownBytes)) : "not set";
  return {is_set && visible->empty() ? Level::kWarn : Level::kOk, "CUDA_VISIBLE_DEVICES",
          fmt::format("{}: at most {} rank{} on GPUs here", set, visible->size(), visible->size() == 1 ? "" : "s"),
          "unset it, or name GPUs as `nvidia-smi -L` lists them"};
}

}  // namespace

std::vector<Finding> GpuFindings(const absl::StatusOr<HostGpus>& host, const CudaEnvironment& environment,
                                 bool has_cuda) {
  std::vector<Finding> findings = {CheckDriver(host, has_cuda)};
  const bool has_gpus = host.ok() && !host->gpus.empty();
  if (host.ok() && !has_gpus)
    findings.push_back({Level::kWarn, "GPUs", "the driver finds none",
                        "see what `nvidia-smi` and `lspci` say; a container has to be started with its GPUs"});
  for (size_t number = 0; has_gpus && number < host->gpus.size(); ++number) {
    findings.push_back(CheckGpu(host->gpus[number], number));
    if (host->gpus[number].is_mig) findings.push_back(CheckMig(host->gpus[number], number));
  }
  if (has_gpus) findings.push_back(CheckVisible(*host, environment));
  const bool misses_cuda = has_gpus && !has_cuda;
  findings.push_back({misses_cuda ? Level::kWarn : Level::kOk, "CUDA",
                      has_cuda ? "this build computes on GPUs" : "this build computes on CPUs only",
                      "`make programs CUDA=1` builds one for the GPUs here"});
  return findings;
}

}  // namespace ridgeline
