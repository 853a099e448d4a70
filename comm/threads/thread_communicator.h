// SPDX-License-Identifier: Apache-2.0
// Ranks as threads of one process: for tests, and for groups of one.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "comm/communicator.h"

namespace ridgeline {

inline constexpr int64_t kThreadTimeoutMs = 600'000;

// `size` ranks, each to be used by its own thread. Messages are copied on their way.
std::vector<std::unique_ptr<Communicator>> MakeThreadCommunicators(int size, int64_t timeout_ms = kThreadTimeoutMs);

// A group of one.
std::unique_ptr<Communicator> MakeSingleCommunicator();

}  // namespace ridgeline
