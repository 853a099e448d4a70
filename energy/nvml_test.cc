// SPDX-License-Identifier: Apache-2.0
// Against a fake library (device/fake_nvml.cc), and against the driver's own where there is one.
#include "energy/nvml.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <thread>

namespace ridgeline {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class FakeNvml : public testing::Test {
 protected:
  void SetUp() override {
    Set("FAKE_NVML_GPUS", "2");
    Set("FAKE_NVML_ENERGY_MJ_0", "1000");
    Set("FAKE_NVML_ENERGY_MJ_1", "500");
  }
  void TearDown() override {
    for (const char* name : {"FAKE_NVML_GPUS", "FAKE_NVML_ENERGY_MJ_0", "FAKE_NVML_ENERGY_MJ_1", "FAKE_NVML_FAIL"})
      ::unsetenv(name);
  }
  static void Set(const char* name, const char* value) { ::setenv(name, value, 1); }
  static void Fail(const char* function_and_result) { Set("FAKE_NVML_FAIL", function_and_result); }

  static absl::Status OpenStatus(const NvmlOptions& options = {FAKE_NVML, {}}) { return OpenNvml(options).status(); }
};

TEST_F(FakeNvml, JoulesOfEveryGpuAreThoseSinceItWasOpened) {
  const std::unique_ptr<EnergyCounter> counter = OpenNvml({FAKE_NVML, {}}).value();
  EXPECT_EQ(counter->source(), "nvml");
  EXPECT_EQ(counter->description(), "2 GPUs");
  EXPECT_EQ(counter->Read().value()[1].joules, 0);
  Set("FAKE_NVML_ENERGY_MJ_0", "3500");
  Set("FAKE_NVML_ENERGY_MJ_1", "501");
  const std::vector<EnergyPart> parts = counter->Read().value();
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[1].name, "GPU 1");
  EXPECT_DOUBLE_EQ(parts[0].joules, 2.5);
  EXPECT_DOUBLE_EQ(parts[1].joules, 0.001);
  EXPECT_TRUE(std::isinf(counter->max_unread_seconds()));
}

TEST_F(FakeNvml, OnlyTheGpusThatAreNamedCount) {
  ::unsetenv("FAKE_NVML_ENERGY_MJ_0");  // Without a counter, and not asked.
  const std::unique_ptr<EnergyCounter> counter = OpenNvml({FAKE_NVML, {1}}).value();
  EXPECT_EQ(counter->description(), "1 GPU");
  EXPECT_EQ(counter->Read().value()[0].name, "GPU 1");
  EXPECT_EQ(OpenStatus({FAKE_NVML, {2}}).code(), absl::StatusCode::kNotFound);
}

TEST_F(FakeNvml, AGpuWithoutACounterIsNamedAndNothingIsCountedWithoutIt) {
  ::unsetenv("FAKE_NVML_ENERGY_MJ_1");
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(OpenStatus().message(), AllOf(HasSubstr("GPU 1"), HasSubstr("Not Supported"), HasSubstr("Volta")));
}

TEST_F(FakeNvml, EveryFunctionsErrorIsToldByItsNameAndTheLibrarysWords) {
  for (const char* failure : {"nvmlInit_v2 18", "nvmlDeviceGetCount_v2 999", "nvmlDeviceGetHandleByIndex_v2 15",
                              "nvmlDeviceGetTotalEnergyConsumption 15"}) {
    Fail(failure);
    const std::string function = std::string(failure).substr(0, std::string(failure).find(' '));
    EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kFailedPrecondition) << failure;
    EXPECT_THAT(OpenStatus().message(), AllOf(HasSubstr(function), HasSubstr("the fake's error"))) << failure;
  }
  Fail("nvmlInit_v2 4");
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(FakeNvml, AnErrorOfALaterReadingIsNoReading) {
  const std::unique_ptr<EnergyCounter> counter = OpenNvml({FAKE_NVML, {}}).value();
  Fail("nvmlDeviceGetTotalEnergyConsumption 15");
  EXPECT_EQ(counter->Read().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(FakeNvml, ADriverThatIsLoadedAgainIsToldAndNotSubtracted) {
  const std::unique_ptr<EnergyCounter> counter = OpenNvml({FAKE_NVML, {}}).value();
  Set("FAKE_NVML_ENERGY_MJ_1", "499");
  EXPECT_EQ(counter->Read().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(counter->Read().status().message(), AllOf(HasSubstr("GPU 1"), HasSubstr("measure again")));
}

TEST_F(FakeNvml, NoGpuNoLibraryAndNoFunctionAreToldApart) {
  Set("FAKE_NVML_GPUS", "0");
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(OpenStatus().message(), HasSubstr("no GPU"));
  EXPECT_EQ(OpenStatus({"libno-such-nvml.so.1", {}}).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(OpenStatus({"libno-such-nvml.so.1", {}}).message(), HasSubstr("libno-such-nvml.so.1"));
  Set("FAKE_NVML_GPUS", "1");
  EXPECT_EQ(OpenStatus({FAKE_NVML_WITHOUT_ENERGY, {}}).code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(OpenStatus({FAKE_NVML_WITHOUT_ENERGY, {}}).message(), HasSubstr("nvmlDeviceGetTotalEnergyConsumption"));
}

TEST_F(FakeNvml, WhatWasInitializedIsShutDown) {
  void* const library = ::dlopen(FAKE_NVML, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr);
  const auto open_sessions = reinterpret_cast<int (*)()>(::dlsym(library, "fake_nvml_open_sessions"));
  {
    const std::unique_ptr<EnergyCounter> counter = OpenNvml({FAKE_NVML, {}}).value();
    EXPECT_EQ(open_sessions(), 1);
  }
  EXPECT_EQ(open_sessions(), 0);
  Fail("nvmlDeviceGetCount_v2 999");
  EXPECT_FALSE(OpenStatus().ok());
  Fail("nvmlInit_v2 9");
  EXPECT_FALSE(OpenStatus().ok());
  EXPECT_EQ(open_sessions(), 0);
  ::dlclose(library);
}

TEST(RealNvml, ThisMachinesGpusDrawPower) {
  const absl::StatusOr<std::unique_ptr<EnergyCounter>> counter = OpenNvml();
  if (!counter.ok()) GTEST_SKIP() << counter.status();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_GT((*counter)->Read().value()[0].joules, 0);
}

}  // namespace
}  // namespace ridgeline
