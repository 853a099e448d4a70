// SPDX-License-Identifier: Apache-2.0
// Tells waiters that something changed, without saying what: they look for themselves. Thread-safe. Waits by the
// monotonic clock: a wall clock that jumps back must not hold up leases, the scheduler and whoever watches.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace ridgeline {

class ChangeSignal {
 public:
  void Notify() {
    const std::lock_guard lock(mutex_);
    ++version_;
    changed_.notify_all();
  }

  // Waits until the version differs from `seen` or the time is over; returns the version to wait from next.
  int64_t Wait(int64_t seen, int64_t timeout_ms) {
    std::unique_lock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    changed_.wait_until(lock, deadline, [&] { return version_ != seen; });
    return version_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;  // Of the standard library: Abseil's waits by the wall clock.
  int64_t version_ = 0;              // Guarded by mutex_.
};

}  // namespace ridgeline
