// SPDX-License-Identifier: Apache-2.0
// The thread that runs the controller: after each change, and every tick for the leases.
#pragma once

#include <atomic>
#include <thread>

#include "coordinator/control/controller.h"
#include "coordinator/state/journal.h"

namespace ridgeline {

class ControlLoop {
 public:
  static constexpr int64_t kTickMs = 200;

  // Starts the thread; both must outlive it.
  ControlLoop(Journal* journal, Controller* controller);
  ~ControlLoop();  // Stops it.

 private:
  void Run();

  Journal* const journal_;
  Controller* const controller_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace ridgeline
