// SPDX-License-Identifier: Apache-2.0
// Exit codes of verbs that follow a job.
#pragma once

#include "common/exit_code.h"
#include "proto/job_states.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// Of a followed job. kExitOk for a job that is not terminal yet.
int ExitCodeOf(v1::JobState state);

}  // namespace ridgeline
