// SPDX-License-Identifier: Apache-2.0
#include "device/memory_meter.h"

#include <gtest/gtest.h>

#include "device/fake_host.h"

namespace ridgeline {
namespace {

TEST(GpuMemoryMeterTest, AddsUpWhatIsInUseNowOnTheGpusThatItWasGiven) {
  test::FakeHost fake(3);
  fake.Set("USED_0", "5").Set("USED_1", "70").Set("USED_2", "900").Set("MIG_2", "2");
  const GpuMemoryMeter meter({"GPU-00000000-fake", "MIG-23000000-fake"}, FAKE_NVML);
  EXPECT_EQ(meter.UsedBytes(), 905);
  fake.Set("USED_0", "6");
  EXPECT_EQ(meter.UsedBytes(), 906);
}

TEST(GpuMemoryMeterTest, WhatCannotBeReadCountsNothing) {
  test::FakeHost fake(1);
  fake.Set("USED_0", "5");
  EXPECT_EQ(GpuMemoryMeter({}, FAKE_NVML).UsedBytes(), 0);
  EXPECT_EQ(GpuMemoryMeter({"GPU-00000000-fake"}, "libno-such-nvml.so.1").UsedBytes(), 0);
  const GpuMemoryMeter meter({"GPU-00000000-fake", "GPU-unknown"}, FAKE_NVML);
  EXPECT_EQ(meter.UsedBytes(), 5);
  fake.Set("FAIL", "nvmlDeviceGetMemoryInfo 15");
  EXPECT_EQ(meter.UsedBytes(), 0);
}

}  // namespace
}  // namespace ridgeline
