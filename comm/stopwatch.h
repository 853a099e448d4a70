// SPDX-License-Identifier: Apache-2.0
// The seconds of a rank in its collectives.
#pragma once

#include <chrono>

#include "comm/communicator.h"

namespace ridgeline {

// Adds the time of its life. `count` must outlive it.
class Stopwatch {
 public:
  explicit Stopwatch(CollectiveCount& count) : count_(count) {}
  ~Stopwatch() { count_.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  CollectiveCount& count_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace ridgeline
