// SPDX-License-Identifier: Apache-2.0
// The exit codes that scripts rely on (docs/cli.md lists them), the same in every program that people start.
#pragma once

#include "absl/status/status.h"

namespace ridgeline {

enum ExitCode : int {
  kExitOk = 0,
  kExitError = 1,
  kExitUsage = 2,  // Usage or bad recipe.
  kExitNotFound = 3,
  kExitNotAllowed = 4,
  kExitUnreachable = 5,  // Unreachable, or past its deadline.
  kExitConflict = 6,
  kExitQuota = 7,
  kExitJobFailed = 10,  // `wait` and `--follow` only, like the next two.
  kExitJobCancelled = 11,
  kExitTimeout = 12,
  kExitDetached = 130,  // Ctrl-C; a job goes on.
};

int ExitCodeOf(const absl::Status& status);

}  // namespace ridgeline
