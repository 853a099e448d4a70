// SPDX-License-Identifier: Apache-2.0
// What rank 0 tells the others between attempts. Idle ranks wait without time-out; but once rank 0 has something to
// say, every rank answers within the time-out, or the group is unfit.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "comm/communicator.h"

namespace ridgeline {

enum class Order : char {
  kAttempt = 'A',   // Begin what `assignment` says.
  kRollCall = 'R',  // Answer, and wait again: a rank that hangs is noticed before the group gets a job.
  kEnd = 'E',
};

struct HandOver {
  Order order = Order::kRollCall;
  std::string assignment;           // With kAttempt: a serialized v1::Assign.
  int64_t others_memory_bytes = 0;  // Answered: held by all ranks but rank 0.
  int64_t others_device_bytes = 0;  // The same of GPUs.
};

// What a rank holds: of its host's memory, and of the GPUs that it answers for.
struct RankMemory {
  int64_t host_bytes = 0;
  int64_t device_bytes = 0;
};

// Called by every rank; rank 0's `order` and `assignment` arrive at all. `memory` is what this rank holds.
// DEADLINE_EXCEEDED names the ranks that do not answer.
absl::StatusOr<HandOver> HandOverFromRoot(const HandOver& from_root, const RankMemory& memory,
                                          Communicator& communicator);

}  // namespace ridgeline
