// SPDX-License-Identifier: Apache-2.0
// Ranks as processes of one MPI job, on CPUs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "comm/communicator.h"

namespace ridgeline {

// The ranks of this MPI job. REQUIRES: MPI is initialized; calls come from the thread that initialized it.
// While `hurry` says true, collectives end within half a minute: the group is asked to end, and the others may be gone
// already, or its attempt is cancelled. It is asked often and must not block.
std::unique_ptr<Communicator> MakeMpiCommunicator(int64_t timeout_ms, std::function<bool()> hurry);

}  // namespace ridgeline
