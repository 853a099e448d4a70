// SPDX-License-Identifier: Apache-2.0
// Ranks as processes of one MPI job, on CPUs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "comm/communicator.h"

namespace ridgeline {

inline constexpr int64_t kMaxBytesPerMpiCall = int64_t{1} << 30;  // MPI counts are ints.

// The ranks of this MPI job, all of which call it. REQUIRES: MPI is initialized; calls come from the thread that
// initialized it, and none after MPI_Finalize. While `hurry` says true, collectives end within half a minute: the group
// is asked to end, and the others may be gone already, or its attempt is cancelled. It is asked often and must not
// block. Messages longer than `max_bytes_per_call` go in parts.
std::unique_ptr<Communicator> MakeMpiCommunicator(int64_t timeout_ms, std::function<bool()> hurry,
                                                  int64_t max_bytes_per_call = kMaxBytesPerMpiCall);

}  // namespace ridgeline
