// SPDX-License-Identifier: Apache-2.0
// How an attempt ended, for the coordinator: the one table from errors to exit reasons. Pure functions.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "ridgeline/v1/worker.pb.h"

namespace ridgeline {

// Of an error of RunAttempt; what a rank other than 0 met comes with its code and begins with "rank N: ".
// REQUIRES: not OK.
v1::ExitReason ExitReasonOf(const absl::Status& error);

// A result without an error: an outcome that is reached on purpose, and its reason.
v1::AttemptResult ResultOf(v1::AttemptOutcome outcome, const std::string& detail);

// That of an attempt that ended with this error: ERROR, or NO_ROOM, with its reason and message. HUNG is another case:
// the group ends with it (HungResult). REQUIRES: not OK.
v1::AttemptResult ResultOf(const absl::Status& error);

// That of an attempt whose ranks wait for one that does not come. A job that was cancelled meanwhile has its wish.
v1::AttemptResult HungResult(const std::string& detail, bool was_cancelled);

}  // namespace ridgeline
