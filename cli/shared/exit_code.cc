// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/exit_code.h"

namespace ridgeline {

int ExitCodeOf(v1::JobState state) {
  if (state == v1::FAILED) return kExitJobFailed;
  if (state == v1::CANCELLED) return kExitJobCancelled;
  return kExitOk;
}

}  // namespace ridgeline
