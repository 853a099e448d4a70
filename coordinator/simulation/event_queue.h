// SPDX-License-Identifier: Apache-2.0
// Simulated time: what is to happen, in order. Equal times keep the order in which they were asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "common/clock.h"

namespace ridgeline::simulation {

// Not thread-safe.
class EventQueue {
 public:
  void After(int64_t ms, std::function<void()> action) {
    queue_.push({clock_.MonotonicMs() + ms, order_++, std::move(action)});
  }
  // Moves time to the next event and does it; false if there is none.
  bool RunNext() {
    if (queue_.empty()) return false;
    Event event = queue_.top();
    queue_.pop();
    if (event.at_ms > clock_.MonotonicMs()) clock_.Advance(event.at_ms - clock_.MonotonicMs());
    event.action();
    return true;
  }
  ManualClock& clock() { return clock_; }
  int64_t now_ms() const { return clock_.MonotonicMs(); }

 private:
  struct Event {
    int64_t at_ms;
    int64_t order;
    std::function<void()> action;
    bool operator<(const Event& other) const {
      return at_ms != other.at_ms ? at_ms > other.at_ms : order > other.order;
    }
  };
  std::priority_queue<Event> queue_;
  ManualClock clock_;
  int64_t order_ = 0;
};

}  // namespace ridgeline::simulation
