// SPDX-License-Identifier: Apache-2.0
#include "device/placement.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/printable.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

int RanksOn(int node, const std::vector<RankOffer>& offers) {
  return static_cast<int>(
      std::count_if(offers.begin(), offers.end(), [node](const RankOffer& offer) { return offer.node == node; }));
}

std::vector<RankDevice> OnCpus(const std::vector<RankOffer>& offers) {
  std::vector<RankDevice> devices;
  for (const RankOffer& offer : offers) {
    RankDevice& device = devices.emplace_back();
    device.memory_bytes = offer.host_memory_bytes / RanksOn(offer.node, offers);
  }
  return devices;
}

RankDevice OnGpu(const RankOffer& offer, size_t place) {
  const Gpu& gpu = offer.gpus[place];
  RankDevice device{.is_cuda = true, .index = static_cast<int>(place), .uuid = gpu.uuid, .name = gpu.name};
  device.compute_capability = gpu.compute_capability;
  device.memory_bytes = gpu.memory_bytes;
  device.is_partition = gpu.is_partition;
  const auto is_partition = [](const Gpu& other) { return other.is_partition; };
  if (std::any_of(offer.gpus.begin(), offer.gpus.end(), is_partition)) {
    device.visible_devices = gpu.uuid;
    device.index = 0;
  }
  return device;
}

std::string Number(size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

absl::Status TooFewGpus(size_t rank, const std::vector<RankOffer>& offers) {
  const int node = offers[rank].node;
  std::set<std::string> uuids;
  for (const RankOffer& offer : offers)
    for (const Gpu& gpu : offer.gpus)
      if (offer.node == node) uuids.insert(gpu.uuid);
  const size_t ranks = static_cast<size_t>(RanksOn(node, offers));
  if (uuids.empty())
    return absl::FailedPreconditionError(
        fmt::format("rank {} sees no GPU: {}", rank,
                    offers[rank].why_no_gpus.empty()
                        ? "the driver finds none, or CUDA_VISIBLE_DEVICES leaves none; see `nvidia-smi`"
                        : offers[rank].why_no_gpus));
  return absl::FailedPreconditionError(fmt::format(
      "{} on the host of rank {} and {} that they see: each rank takes one of its own, and none is left for "
      "rank {}; start {} there, or let them see more (CUDA_VISIBLE_DEVICES)",
      Number(ranks, "rank"), rank, Number(uuids.size(), "GPU"), rank, Number(uuids.size(), "rank")));
}

absl::StatusOr<std::vector<RankDevice>> OnGpus(const std::vector<RankOffer>& offers) {
  std::vector<RankDevice> devices;
  std::map<int, std::set<std::string>> taken;  // UUIDs by host.
  for (size_t rank = 0; rank < offers.size(); ++rank) {
    const std::vector<Gpu>& gpus = offers[rank].gpus;
    std::set<std::string>& on_host = taken[offers[rank].node];
    const auto free =
        std::find_if(gpus.begin(), gpus.end(), [&](const Gpu& gpu) { return on_host.count(gpu.uuid) == 0; });
    if (free == gpus.end()) return TooFewGpus(rank, offers);
    on_host.insert(free->uuid);
    devices.push_back(OnGpu(offers[rank], static_cast<size_t>(free - gpus.begin())));
  }
  return devices;
}

Placement MakePlacement(const std::vector<RankOffer>& offers, std::vector<RankDevice> devices, std::string why_cpu) {
  Placement placement{.devices = std::move(devices), .why_cpu = std::move(why_cpu)};
  for (const RankOffer& offer : offers) placement.nodes.push_back(offer.node);
  return placement;
}

}  // namespace

absl::StatusOr<DeviceWish> ParseDeviceWish(std::string_view word) {
  if (word == "auto") return DeviceWish::kAuto;
  if (word == "cpu") return DeviceWish::kCpu;
  if (word == "cuda") return DeviceWish::kCuda;
  return absl::InvalidArgumentError(fmt::format("'{}' is no device: {}", PrintableLine(word, 64), kDeviceWords));
}

RankOffer OfferOfProcess(DeviceWish wish, int node, const GpuSearch& search, const CudaEnvironment& environment,
                         bool has_cuda) {
  RankOffer offer{.wish = wish, .node = node, .has_cuda = has_cuda};
  offer.host_memory_bytes = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  if (wish == DeviceWish::kCpu || !has_cuda) return offer;
  const absl::StatusOr<HostGpus> host = FindGpus(search);
  if (!host.ok()) {
    offer.why_no_gpus = std::string(host.status().message());
    return offer;
  }
  absl::StatusOr<std::vector<Gpu>> visible = VisibleGpus(*host, environment);
  if (visible.ok()) offer.gpus = *std::move(visible);
  if (!visible.ok()) offer.error = std::string(visible.status().message());
  return offer;
}

absl::StatusOr<Placement> PlaceRanks(const std::vector<RankOffer>& offers) {
  for (const RankOffer& offer : offers)
    if (offer.wish != offers.front().wish)
      return absl::InvalidArgumentError("the ranks were started with different --device or RIDGELINE_DEVICE");
  const auto has_cuda = [](const RankOffer& offer) { return offer.has_cuda; };
  const bool all_have_cuda = std::all_of(offers.begin(), offers.end(), has_cuda);
  const DeviceWish wish = offers.front().wish;
  if (wish == DeviceWish::kCpu || (wish == DeviceWish::kAuto && !all_have_cuda))
    return MakePlacement(offers, OnCpus(offers), "");
  if (!all_have_cuda)
    return absl::FailedPreconditionError(
        "--device cuda, and this build computes on CPUs only; `make programs CUDA=1` builds one for GPUs");
  for (const RankOffer& offer : offers)
    if (!offer.error.empty()) return absl::InvalidArgumentError(offer.error);
  absl::StatusOr<std::vector<RankDevice>> on_gpus = OnGpus(offers);
  if (on_gpus.ok()) return MakePlacement(offers, *std::move(on_gpus), "");
  if (wish == DeviceWish::kCuda) return on_gpus.status();
  return MakePlacement(offers, OnCpus(offers), std::string(on_gpus.status().message()));
}

}  // namespace ridgeline
