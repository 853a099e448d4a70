// SPDX-License-Identifier: Apache-2.0
// Tells waiters that something changed, without saying what: they look for themselves. Thread-safe.
#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace ridgeline {

class ChangeSignal {
 public:
  void Notify() {
    absl::MutexLock lock(&mutex_);
    ++version_;
    changed_.SignalAll();
  }

  // Waits until the version differs from `seen` or the time is over; returns the version to wait from next.
  int64_t Wait(int64_t seen, int64_t timeout_ms) {
    absl::MutexLock lock(&mutex_);
    const absl::Time deadline = absl::Now() + absl::Milliseconds(timeout_ms);
    while (version_ == seen && !changed_.WaitWithDeadline(&mutex_, deadline)) {
    }
    return version_;
  }

 private:
  absl::Mutex mutex_;
  absl::CondVar changed_;
  int64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace ridgeline
