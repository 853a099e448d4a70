// SPDX-License-Identifier: Apache-2.0
// Ctrl-C in verbs that follow a job: they detach, the job goes on.
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
