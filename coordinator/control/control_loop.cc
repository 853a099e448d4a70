// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/control_loop.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

namespace ridgeline {
namespace {

// However fast changes come, passes take at most a fifth of a core while they are shorter than 50 ms.
constexpr int kRestPerWork = 4;
constexpr std::chrono::milliseconds kLongestRest(200);

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
    const auto start = std::chrono::steady_clock::now();
    controller_->RunOnce();
    if (journal_->refuses_writes()) TryToWrite(*journal_);
    if (after_pass_) after_pass_();
    const auto work = std::chrono::steady_clock::now() - start;
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(kRestPerWork * work, kLongestRest));
    seen = journal_->changes().Wait(seen, kTickMs);
  }
}

}  // namespace ridgeline
