// SPDX-License-Identifier: Apache-2.0
// `ridgeline cancel JOB...` and `ridgeline retry JOB...`.
#include "cli/shared/job_targets.h"
#include "cli/verbs/verbs.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

absl::StatusOr<int> RunCancel(const Session& session, const JobTargets& targets) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  return CallForEachJob(client, targets, {v1::QUEUED, v1::RUNNING, v1::PAUSED},
                        [&](const std::string& job) { return client.CancelJob(job); });
}

absl::StatusOr<int> RunRetry(const Session& session, const JobTargets& targets) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  return CallForEachJob(client, targets, {v1::FAILED, v1::CANCELLED},
                        [&](const std::string& job) { return client.RetryJob(job); });
}

}  // namespace

void AddCancelVerb(CLI::App* app, Session* session) {
  auto targets = std::make_shared<JobTargets>();
  CLI::App* verb =
      AddVerb(app, "cancel", "Cancel jobs; a sweep's parent cancels its children", "ridgeline cancel job-3 job-4");
  AddJobTargets(verb, targets.get());
  SetAction(verb, session, targets, RunCancel);
}

void AddRetryVerb(CLI::App* app, Session* session) {
  auto targets = std::make_shared<JobTargets>();
  CLI::App* verb = AddVerb(app, "retry", "Queue failed or cancelled jobs again, from their last checkpoint",
                           "ridgeline retry job-3");
  AddJobTargets(verb, targets.get());
  SetAction(verb, session, targets, RunRetry);
}

}  // namespace ridgeline
