// SPDX-License-Identifier: Apache-2.0
// The exit codes that scripts rely on (docs/cli.md lists them).
#pragma once

#include "absl/status/status.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

enum ExitCode : int {
  kExitOk = 0,
  kExitError = 1,
  kExitUsage = 2,         // Usage or bad recipe.
  kExitNotFound = 3,
  kExitNotAllowed = 4,
  kExitUnreachable = 5,   // Unreachable, or past its deadline.
  kExitConflict = 6,
  kExitQuota = 7,
  kExitJobFailed = 10,    // `wait` and `--follow` only, like the next two.
  kExitJobCancelled = 11,
  kExitTimeout = 12,
  kExitDetached = 130,    // Ctrl-C; the job goes on.
};

int ExitCodeOf(const absl::Status& status);

// Of a followed job. kExitOk for a job that is not terminal yet.
int ExitCodeOf(v1::JobState state);

// SUCCEEDED, FAILED and CANCELLED: nothing more will happen to the job.
bool IsTerminal(v1::JobState state);

}  // namespace ridgeline
