// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/exit_code.h"

namespace ridgeline {

int ExitCodeOf(v1::JobState state) {
  if (state == v1::FAILED) return kExitJobFailed;
  if (state == v1::CANCELLED) return kExitJobCancelled;
  return kExitOk;
}

bool IsTerminal(v1::JobState state) { return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED; }

}  // namespace ridgeline
