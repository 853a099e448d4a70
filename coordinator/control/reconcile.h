// SPDX-License-Identifier: Apache-2.0
// Brings what the journal says is live together with the groups that are there: hands out and cancels attempts, asks
// them to end, and ends those whose group is gone.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "coordinator/control/scheduler.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/state/journal.h"

namespace ridgeline {

// Used by one thread. What it is made of must outlive it.
class Reconciler {
 public:
  Reconciler(Journal* journal, Fleet* fleet) : journal_(journal), fleet_(fleet) {}

  // Called after each change, and often enough for leases.
  void Reconcile();
  // Makes the attempt durable; the next Reconcile sends it.
  absl::Status StartAttempt(const Assignment& assignment);
  // The same.
  absl::Status AskToEnd(const Preemption& preemption);

 private:
  void EndLostAttempts(const std::vector<LiveAttemptView>& live);
  void EndOverdueAttempts(const std::vector<LiveAttemptView>& live);
  void End(const LiveAttemptView& attempt, v1::AttemptOutcome outcome, v1::ExitReason reason, const std::string& news,
           const std::string& detail);

  Journal* const journal_;
  Fleet* const fleet_;
};

}  // namespace ridgeline
