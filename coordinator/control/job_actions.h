// SPDX-License-Identifier: Apache-2.0
// What people change of jobs, each of those that it may: submit, cancel, retry, priority, pause, labels. Errors are for
// people: place, value, remedy.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "coordinator/state/journal.h"
#include "net/principal.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {

struct SubmittedJob {
  std::string job_id;    // Of a sweep, its parent.
  bool existed = false;  // The request_id was known.
};

// Thread-safe. The journal must outlive it. What was changed is durable when a call returns; it answers with job ids.
class JobActions {
 public:
  explicit JobActions(Journal* journal) : journal_(journal) {}

  // INVALID_ARGUMENT lists everything that is wrong with the recipe; ALREADY_EXISTS if the request_id was used for
  // another recipe; RESOURCE_EXHAUSTED if a sweep would add too much to the state.
  // The jobs are the caller's.
  absl::StatusOr<SubmittedJob> Submit(const v1::SubmitJobRequest& request, const Principal& caller);
  // PERMISSION_DENIED for a job of somebody else.
  absl::StatusOr<std::string> Cancel(const std::string& id_or_name, const Principal& caller);
  absl::StatusOr<std::string> Retry(const std::string& id_or_name, const Principal& caller);
  // FAILED_PRECONDITION if the job has ended; INVALID_ARGUMENT for a priority or label that no recipe could have.
  absl::StatusOr<std::string> Change(const v1::ChangeJobRequest& request, const Principal& caller);

 private:
  Journal* const journal_;
};

}  // namespace ridgeline
