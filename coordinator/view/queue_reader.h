// SPDX-License-Identifier: Apache-2.0
// Queues as people look at them: limits, what waits and runs, what was used.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/state/journal.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {

// Thread-safe. The objects it is made of must outlive it.
class QueueReader {
 public:
  QueueReader(const Journal* journal, const Fleet* fleet, const Clock* clock)
      : journal_(journal), fleet_(fleet), clock_(clock) {}

  v1::ListQueuesResponse List() const;  // By name.
  absl::StatusOr<v1::Queue> Get(const std::string& name) const;
  // One that drains and is away has its id alone.
  v1::WorkerGroup Worker(const std::string& group_id) const;

 private:
  const Journal* const journal_;
  const Fleet* const fleet_;
  const Clock* const clock_;
};

}  // namespace ridgeline
