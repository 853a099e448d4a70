// SPDX-License-Identifier: Apache-2.0
// Work on a thread of its own, whose end another thread may ask for without waiting.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <new>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// Owned and called by one thread. Destroyed, it gives the work up and waits until it has noticed.
template <typename T>
class BackgroundWork {
 public:
  // The work looks at `given_up` now and then.
  using Work = std::function<absl::StatusOr<T>(const std::atomic<bool>& given_up)>;

  explicit BackgroundWork(Work work) : thread_([this, work = std::move(work)] { Run(work); }) {}
  ~BackgroundWork() {
    given_up_ = true;
    if (thread_.joinable()) thread_.join();
  }
  BackgroundWork(const BackgroundWork&) = delete;
  BackgroundWork& operator=(const BackgroundWork&) = delete;

  bool is_done() const { return done_; }
  bool has_failed() const { return done_ && !result_.ok(); }
  // Waits for its end. Exceptions become errors.
  const absl::StatusOr<T>& Wait() {
    if (thread_.joinable()) thread_.join();
    return result_;
  }

 private:
  void Run(const Work& work) {
    try {
      result_ = work(given_up_);
    } catch (const std::bad_alloc&) {
      result_ = absl::ResourceExhaustedError("out of memory");
    } catch (const std::exception& error) {
      result_ = absl::InternalError(error.what());
    }
    done_ = true;
  }

  std::atomic<bool> given_up_{false}, done_{false};
  absl::StatusOr<T> result_ = absl::UnknownError("not done");  // The thread's until done_.
  std::thread thread_;
};

}  // namespace ridgeline
