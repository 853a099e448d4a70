// SPDX-License-Identifier: Apache-2.0
#include "energy/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "common/file.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// A fake powercap folder with one package, and the fake NVML with one GPU.
class EnergySource : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ridgeline-energy-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    options_.rapl.root = folder_ = pattern;
    for (const auto& [file, text] : {std::pair("name", "package-0\n"), std::pair("energy_uj", "0\n"),
                                     std::pair("max_energy_range_uj", "1000000\n")})
      ASSERT_TRUE(WriteFileAtomically(folder_ + "/intel-rapl:0/" + file, text).ok());
    ::setenv("FAKE_NVML_GPUS", "1", 1);
    ::setenv("FAKE_NVML_ENERGY_MJ_0", "1", 1);
    options_.nvml.library = FAKE_NVML;
  }
  void TearDown() override {
    fs::remove_all(folder_);
    ::unsetenv("FAKE_NVML_GPUS");
    ::unsetenv("FAKE_NVML_ENERGY_MJ_0");
  }

  std::string Found(EnergyDevice device) {
    options_.device = device;
    return DescribeEnergySource(FindCounter(options_));
  }

  std::string folder_;
  CounterOptions options_;
};

TEST_F(EnergySource, EachDeviceHasItsOwnCounter) {
  EXPECT_EQ(Found(EnergyDevice::kCpu), "rapl: 1 package, without dram");
  EXPECT_EQ(Found(EnergyDevice::kCuda), "nvml: 1 GPU");
}

TEST_F(EnergySource, WithoutItsOwnCounterADeviceIsModelledAndTheReasonIsTold) {
  options_.nvml.library = "libno-such-nvml.so.1";
  EXPECT_THAT(Found(EnergyDevice::kCuda), AllOf(StartsWith("modelled: no NVML"), HasSubstr("libno-such-nvml.so.1")));
  fs::remove_all(folder_);
  EXPECT_THAT(Found(EnergyDevice::kCpu), AllOf(StartsWith("modelled: no powercap folder"), HasSubstr(folder_)));
}

}  // namespace
}  // namespace ridgeline
