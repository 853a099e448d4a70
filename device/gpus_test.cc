// SPDX-License-Identifier: Apache-2.0
// Against a fake library (fake_nvml.cc), and against the driver's own where there is one.
#include "device/gpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "device/fake_host.h"

namespace ridgeline {
namespace {

using test::FakeHost;
using testing::AllOf;
using testing::HasSubstr;

constexpr int64_t kGibibyte = int64_t{1} << 30;
const GpuSearch kFake = {FAKE_NVML, "/no/such/driver"};

// "GPU-0 MIG-01": what is visible, without what all UUIDs of the fake have.
std::string Visible(const CudaEnvironment& environment) {
  const absl::StatusOr<std::vector<Gpu>> gpus = VisibleGpus(FindGpus(kFake).value(), environment);
  if (!gpus.ok()) return std::string(gpus.status().message());
  std::string text;
  for (const Gpu& gpu : *gpus) {
    const size_t zeros = gpu.is_partition ? 6 : 7;
    text += (text.empty() ? "" : " ") + gpu.uuid.substr(0, gpu.uuid.find("-fake") - zeros);
  }
  return text;
}

TEST(GpusTest, AGpuHasNameMemoryAndComputeCapability) {
  const FakeHost fake(2);
  const HostGpus host = FindGpus(kFake).value();
  EXPECT_EQ(host.driver_version, "580.65.06");
  EXPECT_EQ(host.cuda_version, 13000);
  ASSERT_EQ(host.gpus.size(), 2U);
  EXPECT_EQ(host.gpus[1].gpu, (Gpu{"GPU-10000000-fake", "Fake GPU", 80 * kGibibyte, "9.0", false}));
  EXPECT_FALSE(host.gpus[1].is_mig);
}

TEST(GpusTest, AGpuInMigModeIsItsInstancesWhereverTheyAre) {
  FakeHost fake(2);
  fake.Set("MIG_1", "2");
  const HostGpus host = FindGpus(kFake).value();
  EXPECT_TRUE(host.gpus[1].is_mig);
  ASSERT_EQ(host.gpus[1].instances.size(), 2U);
  EXPECT_EQ(host.gpus[1].instances[1], (Gpu{"MIG-13000000-fake", "Fake GPU MIG 1g.10gb", 10 * kGibibyte, "9.0", true}));
  EXPECT_EQ(Visible({}), "GPU-0 MIG-11 MIG-13");
  EXPECT_EQ(Visible({"1", ""}), "MIG-11 MIG-13");
  fake.Set("MIG_1", "0");
  EXPECT_EQ(Visible({}), "GPU-0");
  EXPECT_THAT(Visible({"1", ""}), HasSubstr("in MIG mode, without an instance"));
}

TEST(GpusTest, VisibleDevicesAreTakenInTheirOrderByNumberUuidAndBeginning) {
  FakeHost fake(4);
  fake.Set("MIG_3", "2");
  EXPECT_EQ(Visible({}), "GPU-0 GPU-1 GPU-2 MIG-31 MIG-33");
  EXPECT_EQ(Visible({"2,0", ""}), "GPU-2 GPU-0");
  EXPECT_EQ(Visible({"GPU-10000000-fake, MIG-33000000-fake", ""}), "GPU-1 MIG-33");
  EXPECT_EQ(Visible({"GPU-2", ""}), "GPU-2");
  for (const char* nothing : {"", "-1", "NoDevFiles"}) EXPECT_EQ(Visible({nothing, ""}), "") << nothing;
}

TEST(GpusTest, AnEntryThatIsNotThereIsAnErrorWithItsPlaceAndWhatIsThere) {
  const FakeHost fake(2);
  EXPECT_THAT(Visible({"0,7", ""}),
              AllOf(HasSubstr("CUDA_VISIBLE_DEVICES=0,7: entry 2, '7'"),
                    HasSubstr("0 GPU-00000000-fake, 1 GPU-10000000-fake"), HasSubstr("`nvidia-smi -L`")));
  for (const char* wrong :
       {"GPU-", "GPU-9", "MIG-01000000-fake", "0,,1", "1,", "0x1", "cuda:0", "99999999999999999999"})
    EXPECT_THAT(Visible({wrong, ""}), HasSubstr("is none of this host's")) << wrong;
  EXPECT_THAT(Visible({"1,GPU-1", ""}), HasSubstr("entry 2, 'GPU-1', was there before"));
  const absl::StatusOr<std::vector<Gpu>> gpus = VisibleGpus(FindGpus(kFake).value(), {"\x1b[2J", ""});
  EXPECT_EQ(gpus.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(gpus.status().message().find('\x1b'), absl::string_view::npos);
}

TEST(GpusTest, AnOrderThatNvmlDoesNotKnowIsRefusedWhereItMatters) {
  FakeHost fake(2);
  EXPECT_EQ(Visible({"1", "FASTEST_FIRST"}), "GPU-1");
  fake.Set("NAME_0", "Slow GPU");
  EXPECT_THAT(Visible({"1", "FASTEST_FIRST"}), HasSubstr("PCI_BUS_ID"));
  EXPECT_EQ(Visible({"1", "PCI_BUS_ID"}), "GPU-1");
}

TEST(GpusTest, GpusOfAnotherJobAreLeftOutAndNumbersCountTheRest) {
  FakeHost fake(3);
  fake.Set("DENIED_1", "yes");
  EXPECT_EQ(Visible({}), "GPU-0 GPU-2");
  EXPECT_EQ(Visible({"1", ""}), "GPU-2");
  fake.Set("DENIED_0", "yes").Set("DENIED_2", "yes");
  EXPECT_EQ(FindGpus(kFake).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST(GpusTest, NoDriverNoLibraryADriverThatIsNotLoadedAndNoGpuAreToldApart) {
  FakeHost fake(0);
  EXPECT_TRUE(FindGpus(kFake).value().gpus.empty());
  const std::string driver = testing::TempDir() + "/nvidia_version";
  std::ofstream(driver) << "NVRM version\n";
  const absl::Status neither = FindGpus({"libno-such-nvml.so.1", "/no/such/driver"}).status();
  EXPECT_EQ(neither.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(neither.message(), AllOf(HasSubstr("no NVIDIA driver"), HasSubstr("install the driver")));
  const absl::Status library = FindGpus({"libno-such-nvml.so.1", driver}).status();
  EXPECT_EQ(library.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(library.message(), AllOf(HasSubstr("its library is missing"), HasSubstr("compute,utility")));
  fake.Set("FAIL", "nvmlInit_v2 9");
  const absl::Status not_loaded = FindGpus(kFake).status();
  EXPECT_EQ(not_loaded.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(not_loaded.message(), AllOf(HasSubstr("no driver loaded"), HasSubstr("modprobe nvidia")));
  std::filesystem::remove(driver);
}

TEST(GpusTest, EveryFunctionsErrorEndsTheSearchByItsName) {
  FakeHost fake(1);
  fake.Set("MIG_0", "1");
  for (const char* function :
       {"nvmlSystemGetDriverVersion", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetName",
        "nvmlDeviceGetUUID", "nvmlDeviceGetCudaComputeCapability", "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMigMode",
        "nvmlDeviceGetMaxMigDeviceCount", "nvmlDeviceGetMigDeviceHandleByIndex"}) {
    fake.Set("FAIL", std::string(function) + " 15");
    EXPECT_EQ(FindGpus(kFake).status().code(), absl::StatusCode::kFailedPrecondition) << function;
    EXPECT_THAT(FindGpus(kFake).status().message(), AllOf(HasSubstr(function), HasSubstr("nvidia-smi"))) << function;
  }
}

TEST(RealGpus, AreNamedAndHaveMemory) {
  const absl::StatusOr<HostGpus> host = FindGpus();
  if (!host.ok() || host->gpus.empty()) GTEST_SKIP() << host.status();
  for (const WholeGpu& whole : host->gpus) {
    EXPECT_THAT(whole.gpu.uuid, testing::StartsWith("GPU-"));
    EXPECT_FALSE(whole.gpu.name.empty());
    EXPECT_GT(whole.gpu.memory_bytes, kGibibyte);
    EXPECT_THAT(whole.gpu.compute_capability, testing::ContainsRegex("[0-9]+[.][0-9]"));
  }
}

}  // namespace
}  // namespace ridgeline
