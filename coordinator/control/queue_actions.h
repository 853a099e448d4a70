// SPDX-License-Identifier: Apache-2.0
// What who runs the service changes: queues, and which worker groups get jobs. Errors are for people.
#pragma once

#include "absl/status/status.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/state/journal.h"
#include "net/principal.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {

// Thread-safe. Journal and fleet must outlive it. What was changed is durable when a call returns.
class QueueActions {
 public:
  QueueActions(Journal* journal, const Fleet* fleet) : journal_(journal), fleet_(fleet) {}

  // Makes the queue, of weight 1, if there is none. INVALID_ARGUMENT for a name, weight or limit that none can have.
  absl::Status SetQueue(const v1::SetQueueRequest& request, const Principal& caller);
  // NOT_FOUND for a group that is not there; what drains may be undone while it is away.
  absl::Status DrainWorker(const v1::DrainWorkerRequest& request, const Principal& caller);

 private:
  Journal* const journal_;
  const Fleet* const fleet_;
};

}  // namespace ridgeline
