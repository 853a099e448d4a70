// SPDX-License-Identifier: Apache-2.0
#include "comm/threads/thread_communicator.h"

#include <gtest/gtest.h>

#include <thread>

namespace ridgeline {
namespace {

TEST(ThreadCommunicatorTest, EveryRankGetsTheSumAndTheRootsBytes) {
  auto ranks = MakeThreadCommunicators(3);
  std::vector<std::vector<float>> values = {{1, 2}, {10, 20}, {100, 200}};
  std::vector<std::string> bytes = {"root", "", "other"};
  std::vector<std::vector<std::string>> gathered(3);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 3; ++i)
    threads.emplace_back([&, i] {
      ASSERT_TRUE(ranks[i]->AllReduceSum(std::span<float>(values[i]), "sum").ok());
      ASSERT_TRUE(ranks[i]->BroadcastFromRoot(&bytes[i], "bytes").ok());
      ASSERT_TRUE(ranks[i]->GatherToRoot(std::string(i, 'x'), &gathered[i], "names").ok());
    });
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(values[i], (std::vector<float>{111, 222}));
    EXPECT_EQ(bytes[i], "root");
  }
  EXPECT_EQ(gathered[0], (std::vector<std::string>{"", "x", "xx"}));
  EXPECT_TRUE(gathered[1].empty());
}

}  // namespace
}  // namespace ridgeline
