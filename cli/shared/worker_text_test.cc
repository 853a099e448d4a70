// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/worker_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ridgeline {
namespace {

using testing::HasSubstr;
using testing::Not;

void AddDevice(v1::WorkerGroup& group, const std::string& name, int64_t memory_bytes) {
  v1::Device& device = *group.add_devices();
  device.set_kind(name.empty() ? "cpu" : "cuda");
  device.set_name(name);
  device.set_memory_bytes(memory_bytes);
}

std::string TableOf(const v1::WorkerGroup& group) {
  v1::ListWorkersResponse workers;
  *workers.add_groups() = group;
  return WorkerTable(workers, 0, Style());
}

TEST(WorkerTextTest, DevicesOfRanksAreCountedWithNameAndMemoryOfEach) {
  constexpr int64_t kGiB = int64_t{1} << 30;
  v1::WorkerGroup group;
  group.set_id("g");
  for (int rank = 0; rank < 2; ++rank) AddDevice(group, "NVIDIA H200", 140 * kGiB - 1);
  EXPECT_THAT(TableOf(group), HasSubstr(" 2x NVIDIA H200 139 GiB "));
  AddDevice(group, "NVIDIA H200 MIG 1g.18gb", 17 * kGiB);
  EXPECT_THAT(TableOf(group), HasSubstr(" 2x NVIDIA H200 139 GiB, NVIDIA H200 MIG 1g.18gb 17 GiB "));
  v1::WorkerGroup on_cpus;
  for (int rank = 0; rank < 3; ++rank) AddDevice(on_cpus, "", kGiB / 2);
  EXPECT_THAT(TableOf(on_cpus), HasSubstr("3x cpu 512.0 MiB"));
}

TEST(WorkerTextTest, MemoryThatAWorkerDoesNotSayIsLeftOut) {
  v1::WorkerGroup group;
  AddDevice(group, "", 0);
  EXPECT_THAT(TableOf(group), HasSubstr(" cpu "));
  EXPECT_THAT(TableOf(group), Not(HasSubstr("cpu 0")));
}

}  // namespace
}  // namespace ridgeline
