// SPDX-License-Identifier: Apache-2.0
// What the states of a job mean, for all who read them.
#pragma once

#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// Whether the job has ended; `retry` alone leads out of such a state.
inline bool IsTerminal(v1::JobState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
}

}  // namespace ridgeline
