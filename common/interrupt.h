// SPDX-License-Identifier: Apache-2.0
// Ctrl-C in programs that end in an orderly way: a verb that follows a job detaches, a text ends where it is.
#pragma once

#include <chrono>

namespace ridgeline {

// From now on the first SIGINT or SIGTERM only sets a flag; another one, half a second or more later, ends the process.
void CatchInterrupts();

// Thread-safe.
bool Interrupted();

// Sleeps for `duration`, or until an interrupt. Returns whether it slept all of it.
bool SleepUnlessInterrupted(std::chrono::milliseconds duration);

}  // namespace ridgeline
