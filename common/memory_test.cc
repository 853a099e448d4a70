// SPDX-License-Identifier: Apache-2.0
#include "common/memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

namespace ridgeline {
namespace {

TEST(MemoryTest, WhatIsMappedAndGivenBackComesAndGoes) {
  constexpr size_t kBytes = size_t{64} << 20;
  const int64_t before = ResidentBytes();
  EXPECT_GT(before, 0);
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 1, kBytes);
  EXPECT_GT(ResidentBytes(), before + int64_t{kBytes} / 2);
  munmap(memory, kBytes);
  EXPECT_LT(ResidentBytes(), before + int64_t{kBytes} / 2);
}

}  // namespace
}  // namespace ridgeline
