// SPDX-License-Identifier: Apache-2.0
#include "worker/train/freed_memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>

namespace ridgeline {
namespace {

constexpr size_t kBytes = 16 << 20;

int64_t PageFaults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

int64_t ResidentPages() {
  int64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident;
}

void FillAndFree() {
  const std::unique_ptr<char[]> numbers(new char[kBytes]);
  std::memset(numbers.get(), 1, kBytes);
  EXPECT_EQ(static_cast<volatile char*>(numbers.get())[kBytes - 1], 1);
}

TEST(FreedMemoryTest, IsFoundAgainWithoutPageFaultsAndGoesBackWhenItIsReturned) {
  const int64_t pages = static_cast<int64_t>(kBytes) / sysconf(_SC_PAGESIZE);
  KeepFreedMemory();
  FillAndFree();
  const int64_t faults = PageFaults(), resident = ResidentPages();
  FillAndFree();
  EXPECT_LT(PageFaults() - faults, pages / 10);
  ReturnFreedMemory();
  EXPECT_LT(ResidentPages(), resident - pages / 2);
}

}  // namespace
}  // namespace ridgeline
