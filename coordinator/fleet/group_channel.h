// SPDX-License-Identifier: Apache-2.0
// The way down to a connected worker group.
#pragma once

#include "ridgeline/v1/worker.pb.h"

namespace ridgeline {

// Thread-safe. Shared by whoever serves the group's stream and the fleet, while it is connected.
class GroupChannel {
 public:
  virtual ~GroupChannel() = default;
  // Never blocks. A peer that reads so slowly that too much waits for it is cut off.
  virtual void Send(v1::CoordinatorMessage message) = 0;
  // Ends the connection, from any thread.
  virtual void Cancel() = 0;
};

}  // namespace ridgeline
