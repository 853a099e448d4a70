// SPDX-License-Identifier: Apache-2.0
#include "worker/rank_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "comm/threads/thread_communicator.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;

RankOffer Offer(DeviceWish wish, int node, int gpus) {
  RankOffer offer{.wish = wish, .node = node, .host_memory_bytes = 900, .has_cuda = true};
  for (int number = 0; number < gpus; ++number)
    offer.gpus.push_back({"GPU-" + std::to_string(number), "NVIDIA H200", 1'000, "9.0", false});
  return offer;
}

std::vector<absl::StatusOr<Placement>> PlaceAll(const std::vector<RankOffer>& offers) {
  auto ranks = MakeThreadCommunicators(static_cast<int>(offers.size()));
  std::vector<absl::StatusOr<Placement>> placements(offers.size());
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < offers.size(); ++rank)
    threads.emplace_back([&, rank] { placements[rank] = PlaceGroup(offers[rank], *ranks[rank]); });
  for (std::thread& thread : threads) thread.join();
  return placements;
}

TEST(RankDeviceTest, EveryRankLearnsTheSameFromWhatAllHave) {
  const auto placements =
      PlaceAll({Offer(DeviceWish::kAuto, 0, 2), Offer(DeviceWish::kAuto, 0, 2), Offer(DeviceWish::kAuto, 2, 1)});
  for (const absl::StatusOr<Placement>& placement : placements) {
    ASSERT_TRUE(placement.ok()) << placement.status();
    ASSERT_EQ(placement->devices.size(), 3U);
    EXPECT_EQ(placement->devices[0].uuid, "GPU-0");
    EXPECT_EQ(placement->devices[1].uuid, "GPU-1");
    EXPECT_EQ(placement->devices[1].index, 1);
    EXPECT_EQ(placement->devices[1].memory_bytes, 1'000);
    EXPECT_EQ(placement->devices[2].compute_capability, "9.0");
    EXPECT_EQ(placement->devices[2].uuid, "GPU-0") << "of another host";
  }
}

TEST(RankDeviceTest, OneRankWithoutAGpuPutsAllOnCpusOrIsTheErrorOfAll) {
  for (const auto& placement : PlaceAll({Offer(DeviceWish::kAuto, 0, 1), Offer(DeviceWish::kAuto, 0, 1)})) {
    EXPECT_FALSE(placement->devices[0].is_cuda);
    EXPECT_EQ(placement->devices[1].memory_bytes, 450);
    EXPECT_THAT(placement->why_cpu, HasSubstr("2 ranks"));
  }
  for (const auto& placement : PlaceAll({Offer(DeviceWish::kCuda, 0, 1), Offer(DeviceWish::kCuda, 0, 1)}))
    EXPECT_EQ(placement.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(RankDeviceTest, TheMessageSaysWhatTheRankHas) {
  RankDevice device{.is_cuda = true, .index = 3, .uuid = "MIG-1", .name = "NVIDIA H200 MIG", .memory_bytes = 5};
  device.compute_capability = "9.0";
  device.is_partition = true;
  EXPECT_EQ(DeviceMessage(device).ShortDebugString(),
            "kind: \"cuda\" name: \"NVIDIA H200 MIG\" index: 3 memory_bytes: 5 compute_capability: \"9.0\" "
            "is_partition: true");
  EXPECT_EQ(DeviceMessage(RankDevice{.memory_bytes = 7}).ShortDebugString(), "kind: \"cpu\" memory_bytes: 7");
}

TEST(RankDeviceTest, CudaIsToldOnlyOfGpusThatARankTakes) {
  ::unsetenv("CUDA_DEVICE_ORDER");
  ::setenv("CUDA_VISIBLE_DEVICES", "0,1", 1);
  UseRankDevice({});
  EXPECT_EQ(std::getenv("CUDA_DEVICE_ORDER"), nullptr);
  UseRankDevice({.is_cuda = true});
  EXPECT_STREQ(std::getenv("CUDA_DEVICE_ORDER"), "PCI_BUS_ID");
  EXPECT_STREQ(std::getenv("CUDA_VISIBLE_DEVICES"), "0,1");
  RankDevice part{.is_cuda = true};
  part.visible_devices = "MIG-1";
  UseRankDevice(part);
  EXPECT_STREQ(std::getenv("CUDA_VISIBLE_DEVICES"), "MIG-1");
  ::unsetenv("CUDA_DEVICE_ORDER");
  ::unsetenv("CUDA_VISIBLE_DEVICES");
}

}  // namespace
}  // namespace ridgeline
