// SPDX-License-Identifier: Apache-2.0
// Ranks as threads of one process: for tests, and for groups of one.
#pragma once

#include <memory>
#include <vector>

#include "comm/communicator.h"

namespace ridgeline {

// `size` ranks, each to be used by its own thread.
std::vector<std::unique_ptr<Communicator>> MakeThreadCommunicators(int size);

// A group of one.
std::unique_ptr<Communicator> MakeSingleCommunicator();

}  // namespace ridgeline
