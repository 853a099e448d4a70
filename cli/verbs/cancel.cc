// SPDX-License-Identifier: Apache-2.0
// `ridgeline cancel JOB...` and `ridgeline retry JOB...`: one call a job; one that fails does not stop the others.
#include <fmt/format.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/job_text.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

struct JobsOptions {
  std::vector<std::string> jobs;
};

using JobCall = absl::StatusOr<v1::Job> (Client::*)(const std::string&) const;

// The exit code is that of the first failure.
absl::StatusOr<int> CallForEach(const Session& session, const std::vector<std::string>& jobs, JobCall call) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  int exit_code = kExitOk;
  for (const std::string& name : jobs) {
    const absl::StatusOr<v1::Job> job = (client.*call)(name);
    if (job.ok()) {
      const bool cancelling = job->cancel_requested() && !IsTerminal(job->state());
      PrintOut("{} {}\n", job->id(), cancelling ? "cancelling" : StateName(job->state()));
      continue;
    }
    PrintErr("ridgeline: {}: {}\n", name, std::string(job.status().message()));
    if (exit_code == kExitOk) exit_code = ExitCodeOf(job.status());
  }
  return exit_code;
}

absl::StatusOr<int> RunCancel(const Session& session, const JobsOptions& options) {
  return CallForEach(session, options.jobs, &Client::CancelJob);
}

absl::StatusOr<int> RunRetry(const Session& session, const JobsOptions& options) {
  return CallForEach(session, options.jobs, &Client::RetryJob);
}

}  // namespace

void AddCancelVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<JobsOptions>();
  CLI::App* verb =
      AddVerb(app, "cancel", "Cancel jobs; a sweep's parent cancels its children", "ridgeline cancel job-3 job-4");
  verb->add_option("jobs", options->jobs, "Ids or names")->required()->type_name("JOB...");
  SetAction(verb, session, options, RunCancel);
}

void AddRetryVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<JobsOptions>();
  CLI::App* verb = AddVerb(app, "retry", "Queue failed or cancelled jobs again, from their last checkpoint",
                           "ridgeline retry job-3");
  verb->add_option("jobs", options->jobs, "Ids or names")->required()->type_name("JOB...");
  SetAction(verb, session, options, RunRetry);
}

}  // namespace ridgeline
