// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/control_loop.h"

namespace ridgeline {

ControlLoop::ControlLoop(Journal* journal, Controller* controller)
    : journal_(journal), controller_(controller), thread_([this] { Run(); }) {}

ControlLoop::~ControlLoop() {
  stopping_ = true;
  journal_->changes().Notify();
  thread_.join();
}

void ControlLoop::Run() {
  int64_t seen = 0;
  while (!stopping_) {
    controller_->RunOnce();
    seen = journal_->changes().Wait(seen, kTickMs);
  }
}

}  // namespace ridgeline
