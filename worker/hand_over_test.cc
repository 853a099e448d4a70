// SPDX-License-Identifier: Apache-2.0
#include "worker/hand_over.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "comm/threads/thread_communicator.h"

namespace ridgeline {
namespace {

TEST(HandOverTest, EveryRankIsToldAndRankZeroLearnsWhatTheOthersHold) {
  for (const HandOver& order : {HandOver{Order::kAttempt, std::string("job\0 1", 6)}, HandOver{Order::kRollCall, ""},
                                HandOver{Order::kEnd, ""}}) {
    auto ranks = MakeThreadCommunicators(3);
    std::vector<HandOver> told(3);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 3; ++i)
      threads.emplace_back([&, i] {
        told[i] = HandOverFromRoot(i == 0 ? order : HandOver{}, {int64_t{100} << (8 * i), int64_t{3} << i}, *ranks[i])
                      .value();
      });
    for (std::thread& thread : threads) thread.join();
    for (const HandOver& one : told) {
      EXPECT_EQ(one.order, order.order);
      EXPECT_EQ(one.assignment, order.assignment);
      EXPECT_EQ(one.others_memory_bytes, (100 << 8) + (100 << 16));
      EXPECT_EQ(one.others_device_bytes, 6 + 12);
    }
  }
}

}  // namespace
}  // namespace ridgeline
