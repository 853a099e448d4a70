// SPDX-License-Identifier: Apache-2.0
// The contract between threads of one process.
#include <thread>
#include <vector>

#include "comm/contract_test.h"
#include "comm/threads/thread_communicator.h"

namespace ridgeline {

void OnEveryRank(const std::function<void(Communicator&)>& body, int64_t timeout_ms) {
  for (int size : {1, 2, 3, 6}) {
    const auto ranks = MakeThreadCommunicators(size, timeout_ms);
    std::vector<std::thread> threads;
    for (const auto& rank : ranks) threads.emplace_back([&body, &rank] { body(*rank); });
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace ridgeline
