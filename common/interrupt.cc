// SPDX-License-Identifier: Apache-2.0
// One time stamp that a signal handler sets.
#include "common/interrupt.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>

namespace ridgeline {
namespace {

constexpr int64_t kSameInterrupt_ms = 500;

std::atomic<int64_t> interrupted_ms = 0;  // Monotonic; 0: not yet.
static_assert(std::atomic<int64_t>::is_always_lock_free, "set in a signal handler");

int64_t MonotonicMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// Only async-signal-safe calls. Some parents (timeout, for one) signal a process and then its group: one interrupt.
void OnSignal(int) {
  const int64_t now_ms = MonotonicMs();
  int64_t none = 0;
  if (interrupted_ms.compare_exchange_strong(none, now_ms)) return;
  if (now_ms - none > kSameInterrupt_ms) _exit(130);
}

}  // namespace

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return interrupted_ms != 0; }

bool SleepUnlessInterrupted(std::chrono::milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (!Interrupted()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return true;
    std::this_thread::sleep_for(std::min(left, std::chrono::milliseconds(50)));
  }
  return false;
}

}  // namespace ridgeline
