// SPDX-License-Identifier: Apache-2.0
#include "device/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "device/fake_host.h"

namespace ridgeline {
namespace {

using test::FakeHost;
using testing::AllOf;
using testing::HasSubstr;

const GpuSearch kFake = {FAKE_NVML, "/no/such/driver"};

Gpu MakeGpu(int number, bool is_partition = false) {
  return {(is_partition ? "MIG-" : "GPU-") + std::to_string(number), "NVIDIA H200", int64_t{139} << 30, "9.0",
          is_partition};
}

RankOffer Offer(DeviceWish wish, int node, const std::vector<int>& gpus) {
  RankOffer offer{.wish = wish, .node = node, .host_memory_bytes = 1'000, .has_cuda = true};
  for (const int number : gpus) offer.gpus.push_back(MakeGpu(number));
  return offer;
}

// "GPU-0@0 GPU-1@1": each rank's GPU and its number in that rank; "cpu" for all on CPUs.
std::string Placed(const std::vector<RankOffer>& offers) {
  const absl::StatusOr<Placement> placement = PlaceRanks(offers);
  if (!placement.ok()) return std::string(placement.status().message());
  std::string text;
  for (const RankDevice& device : placement->devices) {
    text += text.empty() ? "" : " ";
    text += device.is_cuda ? device.uuid + "@" + std::to_string(device.index) : "cpu";
  }
  return text;
}

constexpr DeviceWish kAuto = DeviceWish::kAuto, kCpu = DeviceWish::kCpu, kCuda = DeviceWish::kCuda;

TEST(PlacementTest, RanksThatSeeTheSameGpusTakeOneEachInOrder) {
  for (const DeviceWish wish : {kAuto, kCuda}) {
    EXPECT_EQ(Placed({Offer(wish, 0, {0, 1, 2}), Offer(wish, 0, {0, 1, 2})}), "GPU-0@0 GPU-1@1");
    EXPECT_EQ(Placed({Offer(wish, 0, {5, 3}), Offer(wish, 7, {5, 3}), Offer(wish, 0, {5, 3})}),
              "GPU-5@0 GPU-5@0 GPU-3@1")
        << "hosts count for themselves";
  }
}

TEST(PlacementTest, RanksThatABatchSystemShowsOneGpuEachTakeThatOne) {
  EXPECT_EQ(Placed({Offer(kCuda, 0, {3}), Offer(kCuda, 0, {1}), Offer(kCuda, 0, {2})}), "GPU-3@0 GPU-1@0 GPU-2@0");
}

TEST(PlacementTest, MoreRanksThanGpusIsAnErrorForCudaAndCpuForAutoWithTheReason) {
  const auto offers = [](DeviceWish wish) {
    return std::vector<RankOffer>{Offer(wish, 0, {0, 1}), Offer(wish, 0, {0, 1}), Offer(wish, 0, {0, 1})};
  };
  EXPECT_THAT(Placed(offers(kCuda)),
              AllOf(HasSubstr("3 ranks on the host of rank 2 and 2 GPUs"), HasSubstr("start 2 ranks there")));
  EXPECT_EQ(PlaceRanks(offers(kCuda)).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Placed(offers(kAuto)), "cpu cpu cpu");
  EXPECT_THAT(PlaceRanks(offers(kAuto))->why_cpu, HasSubstr("3 ranks on the host"));
}

TEST(PlacementTest, AutoTakesCpusEverywhereWhereOneHostHasNoGpus) {
  EXPECT_EQ(Placed({Offer(kAuto, 0, {0}), Offer(kAuto, 1, {})}), "cpu cpu");
  EXPECT_THAT(Placed({Offer(kCuda, 0, {0}), Offer(kCuda, 1, {})}), HasSubstr("rank 1 sees no GPU"));
}

TEST(PlacementTest, CpusShareTheHostsMemory) {
  const Placement placement = PlaceRanks({Offer(kCpu, 0, {0}), Offer(kCpu, 0, {0}), Offer(kCpu, 1, {})}).value();
  EXPECT_EQ(placement.devices[0].memory_bytes, 500);
  EXPECT_EQ(placement.devices[1].memory_bytes, 500);
  EXPECT_EQ(placement.devices[2].memory_bytes, 1'000);
  EXPECT_EQ(placement.nodes, (std::vector<int>{0, 0, 1}));
  EXPECT_EQ(placement.devices[0].name, "");
  EXPECT_EQ(placement.why_cpu, "");
}

TEST(PlacementTest, ABuildWithoutCudaSaysSoWhenAskedForItAndElseTakesCpus) {
  RankOffer offer = Offer(kCuda, 0, {0});
  offer.has_cuda = false;
  EXPECT_THAT(Placed({offer}), HasSubstr("`make programs CUDA=1`"));
  offer.wish = kAuto;
  EXPECT_EQ(Placed({offer}), "cpu");
}

TEST(PlacementTest, AMistakeInTheEnvironmentEndsTheGroupUnlessCpusAreMeant) {
  RankOffer offer = Offer(kAuto, 0, {});
  offer.error = "CUDA_VISIBLE_DEVICES=9: entry 1";
  EXPECT_THAT(Placed({Offer(kAuto, 0, {0}), offer}), HasSubstr("entry 1"));
  offer.wish = kCpu;
  EXPECT_EQ(Placed({offer}), "cpu");
  EXPECT_THAT(Placed({Offer(kCpu, 0, {}), Offer(kCuda, 0, {0})}), HasSubstr("different --device"));
}

TEST(PlacementTest, AMigInstanceIsTheOnlyGpuThatItsRankSees) {
  RankOffer offer = Offer(kCuda, 0, {});
  offer.gpus = {MakeGpu(0), MakeGpu(1, /*is_partition=*/true)};
  const Placement placement = PlaceRanks({offer, offer}).value();
  EXPECT_EQ(placement.devices[0].visible_devices, "GPU-0") << "beside instances CUDA shows no whole GPU";
  EXPECT_EQ(placement.devices[1].visible_devices, "MIG-1");
  EXPECT_EQ(placement.devices[1].index, 0);
  EXPECT_TRUE(placement.devices[1].is_partition);
  EXPECT_EQ(PlaceRanks({Offer(kCuda, 0, {4})})->devices[0].visible_devices, "");
}

TEST(PlacementTest, OffersTellWhatThisProcessSeesAndWhyNothing) {
  const FakeHost fake(2);
  const RankOffer offer = OfferOfProcess(kAuto, 3, kFake, {"1", ""}, /*has_cuda=*/true);
  EXPECT_EQ(offer.node, 3);
  EXPECT_GT(offer.host_memory_bytes, int64_t{1} << 20);
  ASSERT_EQ(offer.gpus.size(), 1U);
  EXPECT_EQ(offer.gpus[0].uuid, "GPU-10000000-fake");
  EXPECT_EQ(Placed({offer}), "GPU-10000000-fake@0");
  EXPECT_THAT(OfferOfProcess(kAuto, 0, kFake, {"2", ""}, true).error, HasSubstr("entry 1, '2'"));
  EXPECT_THAT(OfferOfProcess(kCuda, 0, {"libno.so", "/no"}, {}, true).why_no_gpus, HasSubstr("no NVIDIA driver"));
  EXPECT_THAT(Placed({OfferOfProcess(kCuda, 0, {"libno.so", "/no"}, {}, true)}),
              AllOf(HasSubstr("rank 0 sees no GPU"), HasSubstr("no NVIDIA driver")));
  EXPECT_TRUE(OfferOfProcess(kCpu, 0, kFake, {"2", ""}, true).error.empty());
  EXPECT_TRUE(OfferOfProcess(kCuda, 0, kFake, {}, false).gpus.empty());
}

TEST(PlacementTest, WordsOfTheFlagAreThree) {
  EXPECT_EQ(ParseDeviceWish("auto").value(), kAuto);
  EXPECT_EQ(ParseDeviceWish("cpu").value(), kCpu);
  EXPECT_EQ(ParseDeviceWish("cuda").value(), kCuda);
  EXPECT_THAT(ParseDeviceWish("gpu").status().message(), HasSubstr("auto, cpu or cuda"));
}

// Whatever ranks see: none shares a GPU, each has one that it sees, and auto is cuda or cpu as a whole.
TEST(PlacementTest, NoTwoRanksOfAHostShareAGpuWhateverTheySee) {
  std::mt19937 random(7);
  int on_gpus = 0;
  for (int round = 0; round < 2'000; ++round) {
    std::vector<RankOffer> offers;
    const size_t ranks = 1 + random() % 5;
    for (size_t rank = 0; rank < ranks; ++rank) {
      std::vector<int> numbers;
      for (int number = 0; number < 6; ++number)
        if (random() % 4 > 0) numbers.push_back(number);
      offers.push_back(Offer(kAuto, static_cast<int>(random() % 2), numbers));
    }
    const Placement placement = PlaceRanks(offers).value();
    ASSERT_EQ(placement.devices.size(), ranks);
    std::set<std::pair<int, std::string>> taken;
    for (size_t rank = 0; rank < ranks; ++rank) {
      const RankDevice& device = placement.devices[rank];
      ASSERT_EQ(device.is_cuda, placement.devices[0].is_cuda);
      ASSERT_EQ(device.is_cuda, placement.why_cpu.empty());
      if (!device.is_cuda) continue;
      ++on_gpus;
      EXPECT_EQ(offers[rank].gpus[static_cast<size_t>(device.index)].uuid, device.uuid);
      EXPECT_TRUE(taken.insert({offers[rank].node, device.uuid}).second);
    }
  }
  EXPECT_GT(on_gpus, 1'000);
}

}  // namespace
}  // namespace ridgeline
