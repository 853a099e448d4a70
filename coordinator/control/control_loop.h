// SPDX-License-Identifier: Apache-2.0
// The thread that runs the controller: after each change, and every tick for the leases. While the disk takes no writes
// it tries one every tick, so that the coordinator finds by itself that there is space again.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "coordinator/control/controller.h"
#include "coordinator/state/journal.h"

namespace ridgeline {

class ControlLoop {
 public:
  static constexpr int64_t kTickMs = 200;

  // Starts the thread; both must outlive it. `after_pass`, which may be null, is called on it after each pass.
  ControlLoop(Journal* journal, Controller* controller, std::function<void()> after_pass = nullptr);
  ~ControlLoop();  // Stops it.

 private:
  void Run();

  Journal* const journal_;
  Controller* const controller_;
  const std::function<void()> after_pass_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace ridgeline
