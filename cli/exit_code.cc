// SPDX-License-Identifier: Apache-2.0
// Status and job state to exit code.
#include "cli/exit_code.h"

namespace ridgeline {

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk: return kExitOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange: return kExitUsage;
    case absl::StatusCode::kNotFound: return kExitNotFound;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated: return kExitNotAllowed;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded: return kExitUnreachable;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kFailedPrecondition: return kExitConflict;
    case absl::StatusCode::kResourceExhausted: return kExitQuota;
    case absl::StatusCode::kCancelled: return kExitDetached;
    default: return kExitError;
  }
}

int ExitCodeOf(v1::JobState state) {
  if (state == v1::FAILED) return kExitJobFailed;
  if (state == v1::CANCELLED) return kExitJobCancelled;
  return kExitOk;
}

bool IsTerminal(v1::JobState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
}

}  // namespace ridgeline
