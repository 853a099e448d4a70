// SPDX-License-Identifier: Apache-2.0
// How ranks leave together: one that went on alone would wait for the others in its next collective.
#pragma once

#include "absl/status/status.h"
#include "comm/communicator.h"

namespace ridgeline {

// Called by every rank with what became of its own part of `what`. OK where all are OK; otherwise every rank gets the
// error of the first that failed: its code, its message ("rank 2: ..."), and whether it was for room on a disk.
absl::Status AgreeThatAllSucceeded(const absl::Status& mine, const char* what, Communicator& communicator);

}  // namespace ridgeline
