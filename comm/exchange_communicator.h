// SPDX-License-Identifier: Apache-2.0
// Collectives out of messages between pairs of ranks, the same for every backend that can send those.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "comm/communicator.h"
#include "comm/transport.h"

namespace ridgeline {

// All ranks of the transport's job. Host memory only. Cost, with N ranks: an all-gather, a reduce-scatter and an
// all-to-all send each byte once to each rank that needs it, all at once; an all-reduce is one of each of the first
// two, in pieces of a fixed size, and of few values one exchange; bytes from rank 0 take log2 N hops. While `hurry`
// says true, collectives end within half a minute. It is asked often and must not block.
std::unique_ptr<Communicator> MakeExchangeCommunicator(std::unique_ptr<Transport> transport, int64_t timeout_ms,
                                                       std::function<bool()> hurry);

}  // namespace ridgeline
