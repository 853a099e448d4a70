// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/control_loop.h"

#include <optional>
#include <utility>

namespace ridgeline {
namespace {

void TryToWrite(Journal& journal) {
  const auto no_event = [](const CoordinatorState&) -> absl::StatusOr<std::optional<v1::Event>> {
    return std::nullopt;
  };
  journal.Commit(no_event).IgnoreError();  // Whether it was taken, refuses_writes() says.
}

}  // namespace

ControlLoop::ControlLoop(Journal* journal, Controller* controller, std::function<void()> after_pass)
    : journal_(journal), controller_(controller), after_pass_(std::move(after_pass)), thread_([this] { Run(); }) {}

ControlLoop::~ControlLoop() {
  stopping_ = true;
  journal_->changes().Notify();
  thread_.join();
}

void ControlLoop::Run() {
  int64_t seen = 0;
  while (!stopping_) {
    controller_->RunOnce();
    if (journal_->refuses_writes()) TryToWrite(*journal_);
    if (after_pass_) after_pass_();
    seen = journal_->changes().Wait(seen, kTickMs);
  }
}

}  // namespace ridgeline
