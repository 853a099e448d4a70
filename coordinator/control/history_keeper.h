// SPDX-License-Identifier: Apache-2.0
// Keeps the file of curves and logs within its size: jobs that ended first give up most of theirs.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "common/clock.h"
#include "coordinator/state/journal.h"
#include "coordinator/state/metric_store.h"

namespace ridgeline {

// By one thread. What it is made of must outlive it.
class HistoryKeeper {
 public:
  HistoryKeeper(const Journal* journal, MetricStore* store, const Clock* clock)
      : journal_(journal), store_(store), clock_(clock) {}
  // Looks every half minute.
  void RunIfDue();

 private:
  absl::Status Run();

  const Journal* const journal_;
  MetricStore* const store_;
  const Clock* const clock_;
  int64_t next_ms_ = 0;  // Monotonic.
  bool has_warned_ = false;
  std::set<std::pair<int64_t, std::string>> shrunk_;  // When they ended, and which: these have nothing left to give.
};

}  // namespace ridgeline
