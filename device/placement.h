// SPDX-License-Identifier: Apache-2.0
// Which rank computes on what: one GPU a rank, or all ranks on CPUs. Pure; every rank of a group decides alike from
// what all of them have.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "device/gpus.h"

namespace ridgeline {

enum class DeviceWish { kAuto, kCpu, kCuda };  // --device
inline constexpr const char* kDeviceWords = "auto, cpu or cuda";

// INVALID_ARGUMENT for other words.
absl::StatusOr<DeviceWish> ParseDeviceWish(std::string_view word);

// What a rank computes on.
struct RankDevice {
  bool is_cuda = false;
  int index = 0;     // CUDA's number of it, in this process, once CUDA_VISIBLE_DEVICES is as `visible_devices` says.
  std::string uuid;  // Of a GPU or its part; of CPUs empty, as are the next two.
  std::string name;
  std::string compute_capability;
  int64_t memory_bytes = 0;  // Of a GPU or its part; of CPUs the host's, divided by the ranks on it.
  bool is_partition = false;
  // What CUDA_VISIBLE_DEVICES has to be in this rank, before CUDA starts; empty: as it is. A process can use one MIG
  // instance alone, the first that it sees.
  std::string visible_devices;
};

// What a rank brings.
struct RankOffer {
  DeviceWish wish = DeviceWish::kAuto;
  int node = 0;  // The same number for ranks on one host.
  int64_t host_memory_bytes = 0;
  bool has_cuda = false;    // The build computes on GPUs.
  std::vector<Gpu> gpus;    // Visible to it.
  std::string why_no_gpus;  // Where there can be none: no driver, or one that does not answer.
  std::string error;        // In what a person has set; ends the group unless it is to compute on CPUs.
};

struct Placement {
  std::vector<RankDevice> devices;  // By rank.
  std::vector<int> nodes;           // The offers' node, by rank.
  std::string why_cpu;              // With kAuto in a build with CUDA: why no GPUs were taken; else empty.
};

// What this process can bring. Looks for GPUs only where the answer can matter: a build with CUDA, or a wish for one.
RankOffer OfferOfProcess(DeviceWish wish, int node, const GpuSearch& search, const CudaEnvironment& environment,
                         bool has_cuda);

// kCuda: each rank takes a GPU that no other rank of its host has: of those that it sees the first that is free, so
// that ranks which see the same take them in order, and ranks which see one each, as batch systems have it, take that
// one. kAuto: the same where all ranks of the group can, else CPUs everywhere. FAILED_PRECONDITION says which host
// lacks what and what to do; INVALID_ARGUMENT where ranks wish differently or an offer has an error.
absl::StatusOr<Placement> PlaceRanks(const std::vector<RankOffer>& offers);

}  // namespace ridgeline
