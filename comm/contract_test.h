// SPDX-License-Identifier: Apache-2.0
// What contract_test.cc and contract_timeouts_test.cc ask of the program that they are linked into: a backend's ranks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "comm/communicator.h"
#include "common/clock.h"

namespace ridgeline {

// The first is for promises about time-outs, the second must not run out on a machine with much else to do.
inline constexpr int64_t kShortTimeoutMs = 2'000, kLongTimeoutMs = 240'000;

// Seconds of one machine: the same clock in all processes.
inline double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline int64_t NowMs() { return SystemClock().MonotonicMs(); }

// Runs `body` as every rank of a new group with that time-out, for each number of ranks that the program tries. Ranks
// meet at its end, and a group that a body leaves unusable harms no other.
void OnEveryRank(const std::function<void(Communicator&)>& body, int64_t timeout_ms = kLongTimeoutMs);

}  // namespace ridgeline
